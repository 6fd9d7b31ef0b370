"""The entry point of the command line. A command's own module is imported only when the command is called."""

import argparse
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module

from ...sandbox.errors import MarkschemeError, RunError, SandboxError, first_line
from .output import GOOD, INTERRUPTED, RUN_FAILED, WRONG_USE, fail, is_stdout, show
from .parser import build_parser

TRAINING_PACKAGES = ("torch", "transformers", "safetensors", "tokenizers")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Exit codes: 0 good, 1 a check failed, 2 wrong use, 3 the run failed, 130 interrupted.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.version:
        from importlib.metadata import version

        print(version("markscheme"))
        return GOOD
    if args.command is None:
        parser.print_help()
        return WRONG_USE
    try:
        module, _, function = args.run_by.partition(":")
        with _own_output(args):
            return getattr(import_module(module), function)(args)
    except ImportError as error:
        if error.name not in TRAINING_PACKAGES:
            raise
        print(f"error: this needs {error.name}: pip install 'markscheme[train]'", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return GOOD
    except MarkschemeError as error:
        if args.json:
            show(args, {"error": type(error).__name__, "message": str(error)}, [])
        fail(str(error))
        return RUN_FAILED if isinstance(error, RunError | SandboxError) else WRONG_USE
    except OSError as error:  # such as a folder that may not be searched
        fail(f"{error.filename or 'a file'}: {error.strerror or error}")
        return WRONG_USE
    except Exception as error:  # a bug of ours
        fail(f"{type(error).__name__}: {first_line(error)}; this is a bug of markscheme: {_kept_trace()}")
        return RUN_FAILED


def _kept_trace() -> str:
    """Write the traceback of the exception that is being handled to a file, and say where it is."""
    with tempfile.NamedTemporaryFile("w", prefix="markscheme-", suffix=".txt", delete=False) as file:
        file.write(traceback.format_exc())
    return f"please report it with {file.name}"


@contextmanager
def _own_output(args: argparse.Namespace) -> Iterator[None]:
    """Keep standard output for the result under `--json`: what rewards print goes to standard error."""
    if not args.json or any(map(is_stdout, (getattr(args, "output", None), getattr(args, "problems", None)))):
        yield
        return
    args.stdout = sys.stdout
    with redirect_stdout(sys.stderr):
        yield


if __name__ == "__main__":
    sys.exit(main())
