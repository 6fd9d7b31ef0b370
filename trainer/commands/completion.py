"""`markscheme completion`: a script that completes commands and options in a shell."""

import argparse

import shtab

from .output import GOOD


def completion(args: argparse.Namespace) -> int:
    """Print the script for a shell."""
    print(shtab.complete(args.whole_parser, args.shell), file=getattr(args, "stdout", None))
    return GOOD
