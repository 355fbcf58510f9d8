from __future__ import annotations

from pathlib import Path

import pytest

from sam2s.convert.sources import list_sources

PAGE = Path(__file__).parents[4] / "docs" / "sources.md"


@pytest.mark.skipif(
    not PAGE.is_file(), reason="the documentation is not part of an installed package"
)
def test_the_page_says_of_every_source_what_the_code_says() -> None:
    text = PAGE.read_text(encoding="utf-8").replace("&lt;", "<").replace("&gt;", ">")
    for info in list_sources():
        for part in (f"`{info.name}`", info.get, info.licence, info.holds, info.split):
            assert part in text, f"{info.name}: {part}"
        for option in info.options:
            assert f"`{option}`" in text, f"{info.name}: option {option}"
