"""Damaging the files of a run's folder one at a time, and resuming the run from what is left."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from markscheme.sandbox import MarkschemeError
from markscheme.trainer import train


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 3] ^= 1
    path.write_bytes(bytes(content))


def removed(path: Path) -> None:
    path.unlink()


DAMAGES: tuple[Callable[[Path], None], ...] = (cut, emptied, flipped, removed)


def files_of(run: Path) -> list[str]:
    """Return the paths of a run's files, relative to its folder."""
    return sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())


def resumed_after(damage: Callable[[Path], None], name: str, run: Path, longer: str) -> str:
    """Copy a run, damage one of its files, and resume it with the setting `longer`.

    Returns:
        `resumed`, or the error's message.
    """
    copy = run.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    damage(copy / name)
    try:
        train(copy, resume=True, overrides=[longer])
    except MarkschemeError as error:
        return str(error)
    return "resumed"


def each_once(run: Path) -> Iterator[tuple[Callable[[Path], None], str]]:
    """Yield every file of a run with one kind of damage, in turn."""
    for i, name in enumerate(files_of(run)):
        yield DAMAGES[i % len(DAMAGES)], name
