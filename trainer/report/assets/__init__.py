"""The files that a report page is made of; uPlot is vendored with its licence."""
