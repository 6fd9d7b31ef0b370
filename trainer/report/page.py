"""A report as one HTML file that needs nothing else: styles, scripts and data are within it.

The data is JSON, compressed and in base64, so that no text of a completion can end a script or start one. A
content security policy allows only the page's own scripts and styles, by their hashes, and no network.
"""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...sandbox.errors import DataError
from ...tasks.whole_files import written_to

ASSETS = files("markscheme.trainer.report.assets")
SCRIPTS = ("uPlot-1.6.32.min.js", "charts.js", "texts.js", "groups.js", "page.js")
STYLES = ("uPlot-1.6.32.min.css", "page.css")
MOST_BYTES = 4_000_000
"""The size above which texts are shortened."""


def packed(data: Mapping[str, Any]) -> str:
    """Return data as compressed JSON in base64."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(errors="replace"), 9, mtime=0)).decode()


def page(title: str, data: str) -> str:
    """Return the HTML of a report; `data` is what `packed` returned."""
    script = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    style = "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in STYLES)
    parts = {
        "TITLE": escape(title),
        "STYLE_HASH": _hash(style),
        "SCRIPT_HASH": _hash(script),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": data,
    }
    template = (ASSETS / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def write_page(out: Path, html: str) -> None:
    """Write a report whole, or not at all.

    Raises:
        DataError: it cannot be written.
    """
    try:
        with written_to(out) as path:
            path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}); give another -o") from error
