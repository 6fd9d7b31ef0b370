"""The grammar of a run file, its presets, and how a run file is read."""
