"""The user's cache, where policies that are built or unpacked here are kept for the next run."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Return the user's cache folder for built policies."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "markscheme"


def built_once(name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder `name` in the cache; if it is not there, let `build` fill it first.

    Several processes may build the same folder at once: the first one that is done keeps its own.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
    try:
        build(building)
        building.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder
