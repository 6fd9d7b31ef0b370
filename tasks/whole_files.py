"""Writing files and folders that appear under their name only when they are complete."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a hidden path beside `path`, to write a file or make a folder there.

    When the block ends, what was written replaces `path`. If the block raises, it is removed and `path`
    stays as it was.

    Raises:
        OSError: from the block, or because the place cannot be written to.
    """
    partial = partial_of(path)
    _remove(partial)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        if partial.is_dir():
            _remove(path)  # a folder cannot be renamed over one that is not empty
        put_in_place(partial, path)
    except BaseException:
        _remove(partial)
        raise


@contextmanager
def written_to(target: Path) -> Iterator[Path]:
    """Yield a path to write a file to, so that `target` stays the kind of thing that it is.

    A pipe or a device is written to as it is. A regular file, also one that a symlink names, is written
    beside its place and replaced when the block ends; see `written_whole`.

    Raises:
        OSError: from the block, or because the place cannot be written to.
    """
    place = regular_place(target)
    if place is None:
        yield target
        return
    with written_whole(place) as partial:
        yield partial


def regular_place(target: Path) -> Path | None:
    """Return the path of the regular file that `target` names or would name; None for a pipe or a device.

    Raises:
        IsADirectoryError: it names a folder.
    """
    if target.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(target))
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        return None
    return Path(os.path.realpath(target))


def partial_of(path: Path) -> Path:
    """Return the hidden path at which a file is written until it is complete."""
    return path.with_name(f".{path.name}.partial")


def put_in_place(partial: Path, path: Path) -> None:
    """Rename a complete file or folder to its own name; a file keeps the permissions of the one before.

    Its content is on the disk before it has the name, and so is the name when this returns.
    """
    if path.is_file() and partial.is_file():
        partial.chmod(stat.S_IMODE(path.stat().st_mode))
    for written in (*(partial.rglob("*") if partial.is_dir() else ()), partial):
        to_disk(written)
    partial.replace(path)
    to_disk(path.parent)


def to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some file systems cannot do it for folders
            raise
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
