"""Rules of the synthetic scenes that hold for any seed."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.masklets.vocabulary import is_known
from sam2s.synthetic import PROCEDURES, SceneSpec, SurgicalScene
from sam2s.synthetic.curves import plan_absences, wave


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 2**32),
    frames=st.integers(1, 700),
    shortest=st.integers(1, 40),
    extra=st.integers(0, 300),
    mean=st.floats(0, 6),
)
def test_planned_absences_fit_their_range_and_the_video(
    seed: int, frames: int, shortest: int, extra: int, mean: float
) -> None:
    windows = plan_absences(np.random.default_rng(seed), frames, (shortest, shortest + extra), mean)
    assert list(windows) == sorted(windows)
    for start, stop in windows:
        assert shortest <= stop - start <= shortest + extra
        assert start >= 12
        assert stop <= frames - 12
    for (_, before), (after, _) in itertools.pairwise(windows):
        assert after - before >= 12


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 2**32), frames=st.integers(60, 300))
def test_open_ended_absences_lie_in_the_video(seed: int, frames: int) -> None:
    windows = plan_absences(np.random.default_rng(seed), frames, (5, 30), 2.0, open_ends=1.0)
    for start, stop in windows:
        assert 5 <= stop - start <= 30
        assert start == 0 or stop == frames


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32), amplitude=st.floats(0, 5), t=st.integers(0, 100_000))
def test_waves_stay_within_their_amplitude(seed: int, amplitude: float, t: int) -> None:
    assert abs(wave(np.random.default_rng(seed), amplitude, 10, 100)(t)) <= amplitude * (1 + 1e-9)


@settings(deadline=None, max_examples=14)
@given(
    seed=st.integers(0, 2**31),
    procedure=st.sampled_from(sorted(PROCEDURES)),
    size=st.sampled_from([(64, 64), (64, 96), (80, 65)]),
    effects=st.sampled_from([0.0, 1.0, 5.0]),
)
def test_masks_partition_what_is_seen(
    seed: int, procedure: str, size: tuple[int, int], effects: float
) -> None:
    scene = SurgicalScene(SceneSpec(seed, procedure, 40, size, effects=effects, absences=2.0))
    assert all(o.class_name is not None and is_known(o.class_name) for o in scene.objects.values())
    assert sorted(scene.objects) == sorted(scene.absences)
    for t in (0, 13, 39):
        image, masks = scene.frame(t)
        assert image.shape == (*size, 3)
        assert not masks or np.sum(list(masks.values()), axis=0).max() <= 1
        for object_id, windows in scene.absences.items():
            if any(start <= t < stop for start, stop in windows):
                assert not masks[object_id].any()
        rim = scene._lens.rim
        if rim is not None:
            assert not image[~rim].any()
            assert not any(mask[~rim].any() for mask in masks.values())
