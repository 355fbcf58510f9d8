"""What is certain of labels that name classes and not things."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_trees import box, codes, converted, grey, picture, write

from sam2s.convert.sources.certain import CertainRules, CertainTrack, Count, certain_tracks
from sam2s.errors import InputError

SIZE = (60, 80)


def plane(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """(H, W) bool with rectangles (top, left, height, width)."""
    return np.logical_or.reduce([np.zeros(SIZE, bool), *(box(*b, size=SIZE) for b in boxes)])


def tracks(planes: list[np.ndarray], count: Count) -> list[CertainTrack]:
    return certain_tracks([{"tool": mask} for mask in planes], CertainRules({"tool": count}))


def states(track: CertainTrack) -> str:
    """One letter a frame: o in view, - absent, ? not annotated."""
    return "".join("?" if m is None else "o" if m.any() else "-" for m in track.masks)


def test_one_thing_is_absent_ambiguous_or_there() -> None:
    body, speck, rival = (10, 10, 20, 20), (50, 70, 2, 2), (40, 50, 10, 10)
    planes = [
        plane(body),
        plane(body, speck),
        plane(body, rival),
        plane(speck),
        plane(),
        plane(body),
        plane(body),
    ]
    (track,) = tracks(planes, Count.ONE)
    assert states(track) == "oo??-oo"
    assert track.masks[1] is not None
    assert track.masks[1].sum() == 400
    assert tracks(planes[:3], Count.ONE) == []


def test_chains_follow_overlap_and_leave_out_what_they_cannot_know() -> None:
    planes = [plane((10, 4 * i, 12, 12), (40, 60, 10, 10 + i)) for i in range(5)]
    planes += [plane((30, 0, 12, 12)), plane(), plane((40, 60, 10, 12))]
    moving, still = tracks(planes, Count.SEVERAL)
    assert (states(moving), states(still)) == ("ooooo?-?", "ooooo?-?")
    lefts = [int(np.flatnonzero(m.any(axis=0))[0]) for m in moving.masks[:5] if m is not None]
    assert lefts == [0, 4, 8, 12, 16]


def test_a_lonely_thing_is_one_however_far_it_jumps() -> None:
    jumps = [plane((10, 15 * i, 10, 10)) for i in range(5)]
    (track,) = tracks(jumps, Count.ONE_UNLESS_SEVERAL)
    assert states(track) == "ooooo"
    crowd = [*jumps, plane((10, 0, 10, 10), (40, 40, 10, 10))]
    assert tracks(crowd, Count.ONE_UNLESS_SEVERAL) == []


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 45), st.integers(0, 65)), max_size=3),
        min_size=4,
        max_size=8,
    )
)
def test_masks_lie_in_their_label_and_never_on_one_another(
    places: list[list[tuple[int, int]]],
) -> None:
    planes = [plane(*((top, left, 12, 12) for top, left in frame)) for frame in places]
    found = tracks(planes, Count.SEVERAL)
    assert all(track.seen >= 4 for track in found)
    for frame, label in enumerate(planes):
        masks = [m for track in found if (m := track.masks[frame]) is not None]
        assert not any((m & ~label).any() for m in masks)
        assert not masks or np.sum(masks, axis=0).max() <= 1
        # An object that is said to be absent is absent: the label is on no pixel of the frame.
        assert all(m.any() or not label.any() for m in masks)


def test_vocalfolds_of_what_is_certain(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for i in range(6):
        for sequence in ("seq1", "seq5"):
            picture(root / f"images/{sequence}/{i:04d}.jpg", seed=i)
            labels = codes(
                folds=(1, box(0, 0, 4, 30)),
                glottis=(3, box(8, 2 + i, 8, 8)) if i != 3 else (3, box(0, 0, 0, 0)),
                tool=(5, box(20, 4 + 2 * i, 8, 8)),
            )
            write(root / f"labels/{sequence}/{i:04d}.png", labels)
    options = {"identities": "certain", "exclude": "vocal folds", "held_out": "seq5"}
    done = converted("vocalfolds", root, tmp_path / "out", split="train", **options)
    assert done.classes("vocalfolds_seq1") == {1: "glottis", 2: None}
    assert [v.info.split for v in done.folder.videos.values()] == ["train", "test"]
    video = done.folder.videos["vocalfolds_seq1"]
    assert [None if (m := video.mask(1, t)) is None else m.any() for t in range(6)] == [
        True, True, True, False, True, True,
    ]  # fmt: skip
    assert done.report.masks == 2 * (5 + 6)
    assert dict(done.report.notes) == {}


def test_a_polyp_of_unknown_identity_is_not_annotated(tmp_path: Path) -> None:
    """Two polyps at once on the sixth frame: a second one that comes too late to be an object, and
    the first one goes on."""
    root = tmp_path / "in"
    for i in range(1, 8):
        picture(root / f"images/{i}.png", seed=i)
        both = box(4, 4 + i, 10, 10) | (box(20, 28, 8, 8) if i == 6 else box(0, 0, 0, 0))
        write(root / f"masks/{i}.png", grey(both if i != 7 else box(20, 28, 8, 8)))
    done = converted("cvc-clinicdb", root, tmp_path / "out", identities="certain")
    video = done.folder.videos["cvc-clinicdb_seq01"]
    assert list(video.info.objects) == [1]
    seen = [video.mask(1, frame) for frame in range(7)]
    assert [mask is None for mask in seen] == [False] * 6 + [True]
    assert [int(mask.sum()) for mask in seen if mask is not None] == [100] * 6


def test_strange_options_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / "in/images/1.png")
    write(tmp_path / "in/masks/1.png", grey(box(4, 4, 10, 10)))
    with pytest.raises(InputError, match="identities=sure: expected one of linked, certain"):
        converted("cvc-clinicdb", tmp_path / "in", tmp_path / "out", identities="sure")
    with pytest.raises(InputError, match="gap"):
        converted("cvc-clinicdb", tmp_path / "in", tmp_path / "out", identities="certain", gap="3")
