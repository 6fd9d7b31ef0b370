"""Commands that look at marks offline: score, evaluate, compare, rescore and audit."""
