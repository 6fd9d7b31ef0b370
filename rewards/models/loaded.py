"""Loaded reward models, which several entries of a task share; a changed folder is loaded anew."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")
KEPT = 4
"""The models that are kept, the ones used last."""

_models: OrderedDict[tuple[str, Hashable, Hashable], Any] = OrderedDict()
_lock = Lock()


def loaded(source: str, settings: Hashable, load: Callable[[], T]) -> T:
    """Return a model that is loaded already, or load it.

    Args:
        source: a folder or a hub id. A folder is identified by the names, sizes and times of its files.
        settings: whatever else the loaded model depends on.
        load: loads it.
    """
    key = (source, _state_of(Path(source)), settings)
    with _lock:
        if key not in _models:
            while len(_models) >= KEPT:  # before loading, so that there is memory for it
                _models.popitem(last=False)
            _models[key] = load()
        _models.move_to_end(key)
        return _models[key]


def forget(source: str) -> None:
    """Free the memory of a folder's or hub id's models, unless something else holds them."""
    with _lock:
        for key in [key for key in _models if key[0] == source]:
            del _models[key]


def _state_of(folder: Path) -> Hashable:
    if not folder.is_dir():
        return None
    stats = ((path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file())
    return tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)
