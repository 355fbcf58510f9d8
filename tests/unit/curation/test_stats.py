from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.convert.sources import list_sources
from sam2s.curation.sa_sv_table import TABLE, sasv_rows
from sam2s.curation.stats import Counts, stats
from sam2s.curation.stats_report import stats_figure, stats_table, write_stats_plot
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.masklets.vocabulary import SA_SV_TITLES

SIZE = (16, 20)


def some(on: bool) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[2:8, 2:8] = on
    return mask


def folder(root: Path) -> Path:
    """Two videos of ClinicDB with an absence, a still of Kvasir, one video of nobody's."""
    image = np.full((*SIZE, 3), 80, dtype=np.uint8)
    polyp = {1: ObjectInfo("polyp", "tissue")}
    tools = {1: ObjectInfo("grasper"), 2: ObjectInfo(None)}
    with MaskletWriter(root) as writer:
        for name in ("a", "b"):
            writer.add_video(name, VideoInfo("CVC-ClinicDB", "colonoscopy", "train", None, polyp))
            for frame in range(3):
                writer.write(name, f"{frame:03d}", image, {1: some(frame != 1)})
        writer.add_video("c", VideoInfo("Kvasir-SEG", "colonoscopy", "train", None, polyp))
        writer.write("c", "0", image, {1: some(True)})
        writer.add_video("d", VideoInfo(None, None, None, 2.0, tools))
        for frame in range(4):
            writer.write("d", str(frame), image, {1: some(True)} if frame else {2: some(True)})
    return root


def test_counts(tmp_path: Path) -> None:
    found = stats(folder(tmp_path))
    assert found.by_source["CVC-ClinicDB", "train"] == Counts(
        videos=2, frames=6, tissue_masks=4, masklets=2
    )
    assert found.by_source["Kvasir-SEG", "train"] == Counts(stills=1, frames=1, tissue_masks=1)
    own = Counts(videos=1, frames=4, instrument_masks=4, masklets=2, seconds=2.0, timed=1)
    assert found.by_source["unnamed", "none"] == own
    assert (found.total.frames, found.total.masks, found.total.masklets) == (11, 9, 4)
    assert {name: c.masks for name, c in found.by_class["unnamed"].items()} == {
        "grasper": 3,
        "instrument (no type)": 1,
    }
    assert not found.comparisons
    assert json.loads(json.dumps(found.to_json()))["total"]["frames"] == 11


def test_true_times_win_over_the_frame_rate(tmp_path: Path) -> None:
    root = folder(tmp_path)
    frames = {str(i): {"source_frame": i, "time_s": 35.0 * i} for i in range(4)}
    (root / "sources.json").write_text(
        json.dumps({"sources": {}, "videos": {"d": {"frames": frames}}})
    )
    assert stats(root).by_source["unnamed", "none"].seconds == pytest.approx(140.0)


def test_beside_sa_sv(tmp_path: Path) -> None:
    found = stats(folder(tmp_path), "sa-sv")
    assert [(c.source, c.paper.frames, c.paper.videos) for c in found.comparisons] == [
        ("CVC-ClinicDB", 612, 29),
        ("Kvasir-SEG", 1000, 0),
    ]
    text = stats_table(found)
    assert "2 / 29" in text
    assert "CVC-ClinicDB (train): fewer frames than SA-SV has: is the input complete?" in text
    assert "corrected by hand" in text
    assert "(1 of 4)" not in text
    assert "0.0 (1 of 3)" in text


def test_equal_counts_need_no_explanation(tmp_path: Path) -> None:
    found = stats(folder(tmp_path), "sa-sv")
    for comparison in found.comparisons:
        for name in Counts.__slots__:
            setattr(comparison.ours, name, getattr(comparison.paper, name))
    text = stats_table(found)
    assert "612 =" in text
    assert "corrected by hand" not in text


def test_the_legend_covers_nothing(tmp_path: Path) -> None:
    root = tmp_path / "in"
    kinds = {k: ObjectInfo(f"tool {k}", "tissue" if k % 2 else "instrument") for k in range(1, 13)}
    with MaskletWriter(root) as writer:
        for name in ("a", "b"):
            writer.add_video(name, VideoInfo(f"source {name}", None, "train", None, kinds))
            masks = {k: np.arange(64).reshape(8, 8) % 13 == k for k in kinds}
            writer.write(name, "0", np.zeros((8, 8, 3), np.uint8), masks)
    figure = stats_figure(stats(root))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    place = legend.get_window_extent()
    assert {text.get_text() for text in legend.get_texts()} == {"instruments", "tissue"}
    for axes in figure.axes:
        assert not place.overlaps(axes.get_tightbbox())
    assert figure.bbox.contains(place.x0, place.y0)
    assert figure.bbox.contains(place.x1, place.y1)


def test_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = stats(folder(tmp_path / "in"))
    write_stats_plot(found, tmp_path / "plot.png")
    assert np.asarray(Image.open(tmp_path / "plot.png")).std() > 10
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(InputError, match="needs matplotlib"):
        write_stats_plot(found, tmp_path / "other.png")


def test_table_adds_up_to_the_printed_totals() -> None:
    def total(split: str, name: str) -> int:
        return sum(getattr(row, name) or 0 for row in TABLE if row.split == split)

    assert [
        total("train", n)
        for n in ("videos", "frames", "instrument_masks", "tissue_masks", "masklets")
    ] == [
        473,
        41593,
        67242,
        20586,
        1368,
    ]
    assert [
        total("test", n)
        for n in ("videos", "frames", "instrument_masks", "tissue_masks", "masklets")
    ] == [
        99,
        19804,
        29681,
        6385,
        244,
    ]


def test_every_source_of_sa_sv_has_its_line() -> None:
    titles = {info.title for info in list_sources()} - {"vocalfolds", "folder", "plain", "DAVIS"}
    assert set(SA_SV_TITLES) == titles
    assert all(sasv_rows(title, "train") or sasv_rows(title, "test") for title in titles)
    assert [row.title for row in sasv_rows("DSAD", "train")] == ["DSAD-I", "DSAD-V"]
    assert (
        len(sasv_rows("CholecInstanceSeg", "test"))
        == len(sasv_rows("CholecInstanceSeg", "train"))
        == 1
    )
    assert sasv_rows("nobody's", "train") == ()
