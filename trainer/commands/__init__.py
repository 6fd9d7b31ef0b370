"""The command line: its parser, and one file for each command or group of commands."""
