"""The grammar of a run file, and presets named after their papers."""
