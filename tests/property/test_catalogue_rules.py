"""Any value anywhere in the tables of a masklet folder: a folder that can be used, or one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam2s.benchmark.timestamps import frame_times
from sam2s.curation.stats import stats
from sam2s.curation.stats_report import stats_table
from sam2s.errors import InputError
from sam2s.masklets.catalogue import CATALOGUE, ObjectInfo, VideoInfo
from sam2s.masklets.mask_folders import open_mask_folder
from sam2s.masklets.masklets import MaskletWriter, open_masklets
from sam2s.masklets.provenance import SOURCES
from sam2s.typed_json import is_one_line

INFO = VideoInfo("here", "colonoscopy", "test", 25.0, {1: ObjectInfo("polyp", "tissue")})
ORIGINS = {
    "sources": {
        "here": {
            "reader": "folder",
            "frames": "copy",
            "options": {"fps": "25"},
            "licence": "own",
            "get": "nowhere",
            "without_objects": ["w"],
        }
    },
    "videos": {
        "v": {
            "source": "here",
            "recording": "here:v",
            "ids": "source",
            "labelled": ["polyp"],
            "frames": {"0": {"source_frame": 0, "time_s": 0.0}},
        }
    },
}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**300, -1, 1e308])
    | st.floats()
    | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)
NAMES = st.text(st.characters(), max_size=6) | st.sampled_from(["..", "/", "../v", "w", "1", "01"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("masklets")
    with MaskletWriter(root) as writer:
        writer.add_video("v", INFO)
        writer.write("v", "0", np.zeros((6, 8, 3), np.uint8), {1: np.ones((6, 8), bool)})
    yield root
    shutil.rmtree(root)


def places(value: Any) -> list[tuple[str, ...]]:
    """Paths to everything inside nested tables."""
    steps = value.items() if isinstance(value, dict) else ()
    return [(), *((key, *rest) for key, part in steps for rest in places(part))]


def changed(values: Any, path: tuple[str, ...], value: Any, name: str | None) -> Any:
    """``values`` with ``value`` at the end of ``path``, or with its last key renamed."""
    if not path:
        return value
    new = dict(values)
    if len(path) == 1 and name is not None:
        new[name] = new.pop(path[0])
    else:
        new[path[0]] = changed(values[path[0]], path[1:], value, name)
    return new


def use(root: Path) -> None:
    """What commands do with a folder."""
    for video in open_masklets(root).videos.values():
        frame_times(video)
        assert video.name.encode()
    open_mask_folder(root)
    stats_table(stats(root)).encode()


LISTED = {"videos": {"v": {"source": "here", "fps": 25.0, "split": "test", "procedure": "p",
                           "objects": {"1": {"class": "polyp", "kind": "tissue"}}}}}  # fmt: skip


@pytest.mark.parametrize(("file", "whole"), [(CATALOGUE, LISTED), (SOURCES, ORIGINS)])
def test_the_unchanged_tables_are_used(folder: Path, file: str, whole: dict[str, Any]) -> None:
    (folder / file).write_text(json.dumps(whole))
    use(folder)


@pytest.mark.parametrize(("file", "whole"), [(CATALOGUE, LISTED), (SOURCES, ORIGINS)])
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), value=VALUES, name=st.none() | NAMES)
def test_any_value_or_name_is_used_or_one_line(
    folder: Path, file: str, whole: dict[str, Any], data: st.DataObject, value: Any, name: str
) -> None:
    path = data.draw(st.sampled_from(places(whole)))
    (folder / CATALOGUE).write_text(json.dumps(LISTED))
    (folder / SOURCES).unlink(missing_ok=True)
    (folder / file).write_text(json.dumps(changed(whole, path, value, name)))
    said = ""
    try:
        use(folder)
    except InputError as error:
        said = str(error)
    assert len(said) < 1000
    assert is_one_line(said)
