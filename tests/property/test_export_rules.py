"""Rules of ``tracks.json``: what a run wrote, ``read_tracks`` gives back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sam2s.export.overlay import draw_overlay
from sam2s.export.tracks import Breakage, TrackedSource, TracksWriter, read_head, read_tracks
from sam2s.types import FrameResult

SIZE = (5, 7)
unit = st.floats(0, 1)
times = st.none() | st.floats(-1e6, 1e9)
sources = st.builds(
    TrackedSource,
    st.text(max_size=20),
    st.integers(1, 9999),
    st.integers(1, 9999),
    st.none() | st.floats(0.1, 500),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4
)
runs = st.dictionaries(st.text(max_size=8), json_values, max_size=4)
breaks = st.none() | st.builds(Breakage, st.integers(0, 10**7), times, st.text(max_size=30))


@st.composite
def results(draw: st.DrawFn) -> FrameResult:
    masks = draw(st.dictionaries(st.integers(0, 1200), npst.arrays(bool, SIZE), max_size=3))
    presence, scores = ({i: draw(unit) for i in masks} for _ in range(2))
    classes = {i: draw(st.text(max_size=8)) for i in masks if draw(st.booleans())}
    probs = {i: draw(unit) for i in classes}
    index, time = draw(st.integers(0, 10**7)), draw(times)
    return FrameResult(index, time, masks, presence, scores, classes=classes, class_probs=probs)


@settings(deadline=None, max_examples=80)
@given(sources, runs, st.lists(results(), max_size=3), breaks)
def test_tracks_round_trip(
    source: TrackedSource, run: dict, frames: list[FrameResult], broke_at: Breakage | None
):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tracks.json"
        writer = TracksWriter(path, source, run)
        for result in frames:
            writer.write(result)
        writer.close(broke_at)
        tracks, head = read_tracks(path), read_head(path)
    assert (tracks.source, tracks.run, tracks.broke_at) == (source, run, broke_at)
    assert tracks.complete == (broke_at is None)
    assert head["run"] == run
    assert len(tracks.frames) == len(frames)
    for seen, result in zip(tracks.frames, frames, strict=True):
        assert (seen.index, seen.time, set(seen.objects)) == (
            result.index,
            result.time,
            set(result.masks),
        )
        for i, mask in result.masks.items():
            assert np.array_equal(seen.objects[i].mask, mask)
            assert seen.objects[i].presence == pytest.approx(result.presence[i], abs=6e-7)
            assert seen.objects[i].score == pytest.approx(result.scores[i], abs=6e-7)
            assert seen.objects[i].class_name == result.classes.get(i)
            assert seen.objects[i].class_prob == pytest.approx(result.class_probs.get(i), abs=6e-7)


@settings(deadline=None, max_examples=60)
@given(npst.arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30))), st.integers(0, 2000))
def test_drawing_never_fails_and_leaves_the_picture_alone(mask: np.ndarray, object_id: int):
    image = np.full((*mask.shape, 3), 77, np.uint8)
    drawn = draw_overlay(
        image, FrameResult(0, None, {object_id: mask}, {object_id: 0.5}, {object_id: 0.5})
    )
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 77).all()
