"""Print what the command line says to the mistakes of a new user, as a table.

python tests/benchmarks/wrong_inputs.py
"""

import contextlib
import io
import os
import shlex
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from markscheme.trainer.commands.cli import main as command_line
from wrong_inputs import MISTAKES, write_files


def main() -> None:
    """Run every command in a folder of its own."""
    print("| input | exit code | message |\n|---|---|---|")
    for command, _, _ in MISTAKES:
        with TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()) as said:
            write_files(Path(folder))
            os.chdir(folder)
            try:
                with contextlib.redirect_stdout(said):
                    code = command_line(shlex.split(command))
            except SystemExit as error:
                code = error.code
        text = " ".join(said.getvalue().split()).replace("|", "\\|")
        print(f"| `{command}` | {code} | {text[:300]} |")


if __name__ == "__main__":
    main()
