from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from source_trees import SIZE, box, converted, grey, junk, picture, thrice, write, write_json

from sam2s.errors import InputError

SHAFT, CLASPER, WRIST = (0, 255, 0), (0, 255, 255), (125, 255, 12)
KIDNEY, THREAD = (255, 55, 0), (128, 155, 25)


def label(path: Path, *painted: tuple[tuple[int, int, int], np.ndarray]) -> None:
    pixels = np.zeros((*SIZE, 3), dtype=np.uint8)
    for colour, mask in painted:
        pixels[mask] = colour
    write(path, pixels)


def tools(shift: int) -> list[tuple[tuple[int, int, int], np.ndarray]]:
    """Two instruments in three parts each, left and right."""
    painted = []
    for left in (2 + shift, 30 - shift):
        painted += [
            (SHAFT, box(2, left, 8, 4)),
            (WRIST, box(10, left, 3, 4)),
            (CLASPER, box(13, left, 3, 4)),
        ]
    return painted


def tree(root: Path) -> Path:
    seq = root / "miccai_challenge_2018_release_1/miccai_challenge_2018_release_1/seq_2"
    for n in range(3):
        picture(seq / f"left_frames/frame{n:03d}.png", seed=n)
        label(seq / f"labels/frame{n:03d}.png", (KIDNEY, box(20, 4, 10, 30)), *tools(n))
    write_json(
        seq.parent / "labels.json",
        [
            {"name": "background-tissue", "color": [0, 0, 0], "classid": 0},
            {"name": "instrument-shaft", "color": list(SHAFT), "classid": 1},
            {"name": "instrument-clasper", "color": list(CLASPER), "classid": 2},
            {"name": "instrument-wrist", "color": list(WRIST), "classid": 3},
            {"name": "kidney-parenchyma", "color": list(KIDNEY), "classid": 4},
        ],
    )
    junk(seq, "labels")
    return seq


def test_parts_become_instruments_and_tissue_one_track(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("endovis18", tmp_path / "in", tmp_path / "out")
    name = "endovis18_seq2"
    assert done.names() == [name]
    assert sorted(map(str, done.classes(name).values())) == ["None", "None", "kidney parenchyma"]
    assert all(len(frames) == 3 for frames in done.present(name).values())
    video = done.folder.videos[name]
    tissue = next(i for i, c in done.classes(name).items() if c)
    first = next(i for i in video.info.objects if i != tissue)
    assert int(video.mask(first, 0).sum()) == 14 * 4
    assert (video.info.split, video.info.fps) == ("test", 2.0)
    assert done.frames(name)["000001"] == {"source_frame": 1, "time_s": None}


def test_test_release_with_alpha_colours_is_extra_and_repairs_win(tmp_path: Path) -> None:
    seq = tree(tmp_path / "in")
    label(tmp_path / "in/repairs/seq_2_frame001.png", (KIDNEY, box(0, 0, 32, 40)))
    other = tmp_path / "in/test_data/seq_2_2018"
    picture(other / "left_frames/frame000.png")
    label(other / "labels/frame000.png", (KIDNEY, box(3, 3, 9, 9)))
    (seq.parent / "labels.json").unlink()
    kinds = [{"name": "kidney-parenchyma", "active": True, "color": [*KIDNEY, 255], "classid": 4}]
    kinds.append(
        {"name": "background-tissue", "active": True, "color": [0, 0, 0, 255], "classid": 0}
    )
    write_json(tmp_path / "in/test_data/labels.json", {"classes": kinds})
    done = converted("endovis18", tmp_path / "in", tmp_path / "out", subset="all")
    assert set(done.names()) == {"endovis18_seq2", "endovis18_seqtest2"}
    assert done.folder.videos["endovis18_seqtest2"].info.split == "extra"
    assert int(done.folder.videos["endovis18_seq2"].mask(1, 1).sum()) == 32 * 40
    assert any("unknown colour (0, 255, 0)" in note for note in done.report.notes)


def test_fallback_table_knows_both_thread_colours(tmp_path: Path) -> None:
    seq = tmp_path / "in/seq_5"
    picture(seq / "left_frames/frame000.png")
    label(
        seq / "labels/frame000.png", (THREAD, box(3, 3, 3, 9)), ((187, 155, 25), box(10, 3, 3, 9))
    )
    done = converted("endovis18", tmp_path / "in", tmp_path / "out")
    assert done.classes("endovis18_seq5") == {1: "thread"}
    assert int(done.folder.videos["endovis18_seq5"].mask(1, 0).sum()) == 54


@pytest.mark.parametrize(
    ("folder", "number", "options", "expected"),
    [
        ("instrument_labels_2017", 6, {}, "monopolar scissors"),
        ("instrument_labels_2018", 4, {}, "monopolar scissors"),
        ("instrument_labels", 4, {"isinet": "2017"}, "vessel sealer"),
    ],
)
def test_extra_package_gives_types(
    tmp_path: Path, folder: str, number: int, options: dict[str, str], expected: str
) -> None:
    seq = tree(tmp_path / "in")
    for n in range(3):
        write(
            seq / folder / f"frame{n:03d}_class{number}_inst1.png",
            thrice(grey(box(2, 2 + n, 14, 4), 1)),
        )
        write(seq / folder / f"frame{n:03d}_class1_inst1.png", grey(box(2, 30 - n, 14, 4)))
    done = converted("endovis18", tmp_path / "in", tmp_path / "out", **options)
    assert set(done.classes("endovis18_seq2").values()) == {
        "bipolar forceps",
        expected,
        "kidney parenchyma",
    }
    assert all(len(frames) == 3 for frames in done.present("endovis18_seq2").values())


def test_extra_package_without_a_year_asks(tmp_path: Path) -> None:
    seq = tree(tmp_path / "in")
    write(seq / "instrument_labels/frame000_class4_inst1.png", grey(box(2, 2, 14, 4)))
    with pytest.raises(InputError, match="say isinet=2017 or 2018"):
        converted("endovis18", tmp_path / "in", tmp_path / "out")
    (seq / "instrument_labels/frame000_class4_inst1.png").rename(
        seq / "instrument_labels/frame000_class44_inst1.png"
    )
    with pytest.raises(InputError, match=r"class1 to class7"):
        converted("endovis18", tmp_path / "in", tmp_path / "out", isinet="2018")


def test_damaged_labels_json(tmp_path: Path) -> None:
    seq = tree(tmp_path / "in")
    write_json(seq.parent / "labels.json", [{"title": "x"}])
    with pytest.raises(InputError, match=r"labels.json: expected a list of"):
        converted("endovis18", tmp_path / "in", tmp_path / "out")
