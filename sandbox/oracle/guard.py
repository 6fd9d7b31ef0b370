"""Keeping what a program returned or wrote from being run as code in the tests' process.

The tests are not hostile, but they may be careless: `eval(f(2)) == 4`, or `pickle.loads(f(x))`, would run
what the program has chosen, next to everything that the tests expect. And a file that tests have written, and
read again after the program ran, may have been read or changed by the program. Python reports such operations
to an audit hook, which refuses them, so that the test fails with the reason.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

from .lent_objects import PROMPT

_RUNNERS_OF_TEXT = frozenset(
    os.path.join(os.path.dirname(os.__file__), f"{name}.py")
    for name in "doctest code codeop runpy bdb trace timeit profile cProfile typing".split()
)
"""Files of the standard library that run text as code."""
_MAKERS_OF_CODE = tuple(
    os.path.join(*parts)
    for parts in (
        ("collections", "__init__.py"), ("dataclasses.py",), ("enum.py",), ("unittest", "mock.py"),
        ("_pytest", "skipping.py"), ("_pytest", "mark", "expression.py"), ("attr", "_make.py"),
        ("functools.py",), ("typing_extensions.py",),
    )
)  # fmt: skip
"""Files of libraries that write code themselves, and run it. What others run as text may be the program's."""
_LIBRARIES = tuple(os.path.join(prefix, "") for prefix in {sys.prefix, sys.base_prefix})
_PICKLED = {
    "builtins": "set frozenset complex bytearray range slice list dict tuple int float str bytes bool",
    "collections": "OrderedDict defaultdict deque Counter",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
}
"""By module, the classes that may be unpickled: plain data."""
_COULD_RUN = "could run code of the program"

Refuse = Callable[[str, str], BaseException]
"""Returns the error to raise, given what was tried, and why it is refused."""


def guard(refuse: Refuse, tests: str, turns: Callable[[], int]) -> None:
    """Watch this process until its end.

    Args:
        refuse: makes the error.
        tests: the file name of the tests' code.
        turns: returns how many times the program has run so far.
    """
    written: dict[str, int] = {}  # by path, how many times the program had run by then

    def is_foreign(event: str, args: tuple[Any, ...]) -> bool:
        """Return whether text or code is run that does not belong to the tests or to a library."""
        caller = sys._getframe(2).f_code.co_filename
        if caller == tests or caller in _RUNNERS_OF_TEXT:
            return True
        file = args[0].co_filename if event == "exec" else ""
        if file.startswith("<") and not file.startswith("<frozen"):
            return not caller.endswith(_MAKERS_OF_CODE)
        return not (file in ("", tests, f"{PROMPT}.py") or file.startswith(("<", *_LIBRARIES)))

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in ("exec", "marshal.loads", "marshal.load"):
            if is_foreign(event, args):
                raise refuse("running text or a file as code", _COULD_RUN)
        elif event == "pickle.find_class":
            module, name = args
            if name not in _PICKLED.get(module, "").split():
                raise refuse(f"unpickling {module}.{name}", _COULD_RUN)
        elif event == "open" and isinstance(args[0], str | bytes):
            _note_file(os.path.realpath(os.fsdecode(args[0])), args[2])

    def _note_file(path: str, flags: int) -> None:
        access = flags & os.O_ACCMODE
        if access != os.O_RDONLY:
            written[path] = turns()
        elif written.get(path, turns()) != turns():
            raise refuse(
                f"reading {os.path.basename(path)!r} again", "could read what the program made of it"
            )

    sys.addaudithook(hook)
