"""What the command line returns to the shell."""

GOOD = 0
CHECK_FAILED = 1
WRONG_USE = 2
RUN_FAILED = 3
INTERRUPTED = 130
