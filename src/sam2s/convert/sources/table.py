"""The sources as text for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from sam2s.convert.sources import list_sources
from sam2s.convert.sources.base import SourceInfo


def sources_text(infos: Sequence[SourceInfo] | None = None, width: int = 100) -> str:
    """One paragraph per source: what it holds, where to get it, licence, split, layout, options."""
    return "\n\n".join(
        _paragraph(info, width) for info in (list_sources() if infos is None else infos)
    )


def _paragraph(info: SourceInfo, width: int) -> str:
    lines = [
        ("holds", f"{info.holds} ({info.shape}, {info.procedure})"),
        ("get", info.get),
        ("licence", info.licence),
        ("split", info.split),
        ("expects", info.expected),
        *((f"{name}=", text) for name, text in info.options.items()),
    ]
    return "\n".join(
        [f"{info.name} - {info.title}", *(_line(name, text, width) for name, text in lines)]
    )


def _line(name: str, text: str, width: int) -> str:
    indent = " " * 14
    return textwrap.fill(text, width, initial_indent=f"  {name:<12}", subsequent_indent=indent)
