"""Where the page's files are."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[1] / "page"
"""Plain HTML, CSS and ES modules, served as they are."""
