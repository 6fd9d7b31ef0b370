"""Measures of how good rewards are, computed on labelled data without training."""
