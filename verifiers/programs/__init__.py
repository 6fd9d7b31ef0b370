"""Is this program right? Finding it, running its tests, comparing what it gives."""
