"""Mutate task files, run files, rows and settings, and count what is said to them.

python tests/benchmarks/fuzz.py [--count 2000]
"""

import argparse
import contextlib
import io
import sys
import traceback
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz import KINDS, says_where, tried


def main() -> None:
    """Try `--count` mutations, a quarter of each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=2000)
    args = parser.parse_args()
    counts: Counter[str] = Counter()
    for i in range(args.count):
        kind = list(KINDS)[i % len(KINDS)]
        printed = io.StringIO()
        try:
            with (
                TemporaryDirectory() as folder,
                contextlib.redirect_stderr(printed),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                message = tried(kind, Path(folder), i)
        except Exception as error:
            counts[f"{kind}: traceback"] += 1
            print(f"{kind} {i}: {type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}")
            continue
        if "this is a bug" in printed.getvalue():
            counts[f"{kind}: traceback"] += 1
            print(f"{kind} {i}: {printed.getvalue()}")
            continue
        counts[f"{kind}: {'accepted' if message is None else 'refused'}"] += 1
        if message is not None and not says_where(message):
            counts[f"{kind}: without a place"] += 1
            print(f"{kind} {i}: no place: {message}")
    for what, count in sorted(counts.items()):
        print(f"{what}: {count}")


if __name__ == "__main__":
    main()
