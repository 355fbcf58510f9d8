"""Bins of age, and means of courses."""

import itertools

import pytest

from sam2s.metrics import Score
from sam2s.metrics.score_over_time import (
    ScoreOverTime,
    age_bin,
    bin_ages,
    mean_over_time,
    score_over_time,
)


def test_every_age_lies_in_its_bin_and_bins_follow_one_another() -> None:
    assert [bin_ages(age_bin(age)) for age in (1, 2, 3, 5, 6, 8, 23, 24)] == [
        (1, 1), (2, 2), (3, 3), (4, 5), (6, 7), (8, 11), (16, 23), (24, 31),
    ]  # fmt: skip
    edges = []
    for age in range(1, 3000):
        first, last = bin_ages(age_bin(age))
        assert first <= age <= last
        edges.append((first, last))
    for (_, last), (first, _) in itertools.pairwise(edges):
        assert first <= last + 1
    assert len(set(edges)) < 24


def test_means_count_every_object_once() -> None:
    long = score_over_time(
        [(age, Score(1.0, 0.5)) for age in (8, 9, 10)]
        + [(0, Score(0.0, 0.0)), (-1, Score(0.0, 0.0))]
    )
    short = score_over_time([(8, Score(0.0, 0.1))])
    (point,) = mean_over_time([long, None, short])
    assert (point.first, point.last, point.objects, point.score.frames) == (8, 11, 2, 4)
    assert (point.score.j, point.score.f) == pytest.approx((0.5, 0.3))
    assert mean_over_time([]) == ()


def test_json() -> None:
    one = score_over_time([(1, Score(0.25, 0.75)), (40, Score(0.5, 1.0))])
    assert ScoreOverTime.from_json(one.to_json()) == one
