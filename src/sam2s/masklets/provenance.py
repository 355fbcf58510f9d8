"""Where the videos of a converted folder come from: ``sources.json``, beside ``masklets.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sam2s.errors import InputError

SOURCES = "sources.json"


def read_provenance(root: Path) -> dict[str, Any]:
    """The content of ``sources.json``, or an empty one of the same form. Raises InputError when it
    is damaged."""
    path = root / SOURCES
    if not path.exists():
        return {"sources": {}, "videos": {}}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict) or not all(
        isinstance(content.get(k), dict) for k in ("sources", "videos")
    ):
        raise InputError(f"{path}: expected {{'sources': {{...}}, 'videos': {{...}}}}")
    return content
