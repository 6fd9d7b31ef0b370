"""`python -m markscheme`: the command line."""

import sys

from .trainer.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())
