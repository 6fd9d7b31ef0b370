"""Reading the logs of a run's folder, also of a run that goes on or was killed."""

import json
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError


def read_log(path: Path, *, missing: bool = False) -> list[dict[str, Any]]:
    """Return the rows of a log in a run's folder, up to a line that is not complete.

    Args:
        path: the log.
        missing: return no rows if there is no such file.

    Raises:
        DataError: the file is not there.
    """
    if not path.is_file():
        if missing:
            return []
        raise DataError(f"{path.parent} has no {path.name}; give the folder of a run that has begun")
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows
