"""Writing files and folders that appear under their name only when they are complete."""

import shutil
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
    partial = path.with_name(f".{path.name}.partial")
    _remove(partial)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        if partial.is_dir():
            _remove(path)  # a folder cannot be renamed over one that is not empty
        partial.replace(path)
    except BaseException:
        _remove(partial)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
