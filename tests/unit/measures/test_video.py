"""All measures of a result whose instruments do what was planned."""

from __future__ import annotations

import numpy as np
import pytest
from instruments import SIZE, result_of, shaft

from sam2s.errors import InputError
from sam2s.measures.path_segments import MeasureSettings
from sam2s.measures.point_motion import PointMotion
from sam2s.measures.video_measures import measure_result

COUNT = 100
NOTHING = np.zeros(SIZE, bool)


def scene() -> list[dict[int, np.ndarray]]:
    """Two graspers that move at the same moments, the second one away for a second, and a liver."""
    frames = []
    liver = np.zeros(SIZE, bool)
    liver[80:, 40:120] = True
    for t in range(COUNT):
        sway = 25 * np.sin(2 * np.pi * (t / 25) ** 1.4)
        away = 40 <= t < 65
        frames.append(
            {
                1: shaft((0, 30), (60 + sway, 40), 8),
                2: NOTHING if away else shaft((159, 30), (110 - sway, 45), 10),
                3: liver,
            }
        )
    return frames


@pytest.fixture(scope="module")
def measures():
    names = {1: "grasper", 2: "grasper", 3: "liver"}
    return measure_result(result_of(scene(), names)).measures


def test_objects(measures):
    first, second, liver = measures.objects
    assert (first.instrument, second.instrument, liver.instrument) == (True, True, False)
    assert first.presence.share == 1.0
    assert (second.presence.entries, second.presence.exits) == (1, 1)
    assert second.presence.absences[0].seconds == pytest.approx(1.0)
    assert first.depth.shaft_width == pytest.approx(8, abs=1)
    assert second.depth.nearest == pytest.approx(1.0, abs=0.1)
    assert isinstance(first.tip, PointMotion)
    assert first.tip.path.px > 1.5 * first.centroid.path.px, "the tip moves further than the middle"
    assert (liver.tip, liver.depth) == (None, None)
    assert liver.mean_area == pytest.approx(40 * 80 / (120 * 160))
    assert liver.centroid.path.px == pytest.approx(0.0, abs=1e-9)


def test_pairs_are_of_instruments(measures):
    (pair,) = measures.pairs
    assert (pair.first, pair.second, pair.point) == (1, 2, "tip")
    assert pair.together == pytest.approx(3.0)
    assert pair.share == pytest.approx(0.75)
    assert pair.distance_mean.px == pytest.approx(50, abs=8)
    assert pair.distance_least.px < pair.distance_mean.px
    assert pair.speed_correlation > 0.9


def test_classes_and_the_heat_map(measures):
    assert [one.name for one in measures.classes] == ["grasper", "liver"]
    assert measures.classes[0].seconds == pytest.approx(4.0), "one of the two is always there"
    heat = np.array(measures.heat_map)
    assert heat.shape == (36, 48)
    assert heat.sum() == pytest.approx(4.0 + 3.0)
    assert heat[:, 42:].sum() == 0.0


def test_what_is_too_short_is_left_out_and_said():
    frames = [{1: shaft((0, 30), (60, 40), 8), 2: NOTHING} for _ in range(6)]
    found = measure_result(result_of(frames)).measures
    assert [one.tip for one in found.objects] == [None, None]
    assert found.objects[0].presence.in_view == pytest.approx(0.24)
    assert found.notes == (
        "object 1: no motion is measured: its longest stretch in view has 0.24 s, expected 0.44 s",
        "object 2: is never in view, so its motion is not measured",
    )


def test_no_clock_is_an_error_unless_one_is_given():
    result = result_of(scene()[:40], fps=None)
    with pytest.raises(InputError, match=r"frames have no times.*--fps"):
        measure_result(result)
    assert measure_result(result, fps=10.0).measures.seconds == pytest.approx(4.0)
    with pytest.raises(InputError, match="holds no frames"):
        measure_result(result_of([]))


def test_times_that_run_backwards_are_not_used():
    frames = scene()[:40]
    times = [*(i / 25 for i in range(39)), 0.1]
    assert measure_result(result_of(frames, times=times)).measures.seconds == pytest.approx(1.6)


@pytest.mark.parametrize("name", ["smooth", "speed", "debounce"])
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_settings_out_of_range(name: str, value: float):
    with pytest.raises(InputError, match=f"--{name}"):
        MeasureSettings(**{name: value})
