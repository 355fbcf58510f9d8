"""All measures of one result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sam2s.formats.result import Result
from sam2s.measures.camera_motion import CameraMotion
from sam2s.measures.course import Course, FrameTimes, clock_of, courses_of
from sam2s.measures.pairs import Followed, PairMeasures, pair_of
from sam2s.measures.path_segments import MeasureSettings, PathSegments, stretches_of
from sam2s.measures.point_motion import PointMotion, motion_of
from sam2s.measures.presence import Presence, Span, frame_seconds, presence_of, spans

HEAT_COLUMNS = 48
"""Cells of a heat map from left to right; they are square."""


@dataclass(frozen=True, slots=True)
class DepthProxy:
    """Distance from the camera, as far as a shaft tells it: the same shaft looks twice as wide at
    half the distance. ``shaft_width``: the median, px; ``nearest``, ``farthest``: 5th and 95th
    percentile of median width / width (1 = the usual distance)."""

    shaft_width: float
    nearest: float
    farthest: float


@dataclass(frozen=True, slots=True)
class ObjectMeasures:
    """One object. ``tip``, ``depth``: of instruments; ``centroid``: of all; None where it was never
    followed for long enough. ``mean_area``: share of the picture while it is in view."""

    object_id: int
    name: str
    instrument: bool
    presence: Presence
    mean_area: float
    depth: DepthProxy | None
    tip: PointMotion | None
    centroid: PointMotion | None


@dataclass(frozen=True, slots=True)
class ClassTime:
    """When at least one object of a class was in view. ``seconds``: together; ``share`` of the
    video; ``instrument``: whether they are."""

    name: str
    instrument: bool
    seconds: float
    share: float
    in_view: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class VideoMeasures:
    """One result. ``size`` (H, W) px; ``seconds``: of the tracked frames; ``rate``: frames a
    second; ``steadied``: camera motion was subtracted; ``heat_map``: seconds of instruments' tips
    in the cells of the picture, rows from the top; ``notes``: what was left out, and why."""

    video: str
    size: tuple[int, int]
    seconds: float
    rate: float
    steadied: bool
    settings: MeasureSettings
    objects: tuple[ObjectMeasures, ...]
    pairs: tuple[PairMeasures, ...]
    classes: tuple[ClassTime, ...]
    heat_map: tuple[tuple[float, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The numbers, and the courses that they come from, for tables and plots."""

    measures: VideoMeasures
    followed: tuple[Followed, ...]


def measure_result(
    result: Result,
    settings: MeasureSettings | None = None,
    *,
    fps: float | None = None,
    camera: CameraMotion | None = None,
) -> Measured:
    """Measure what a run found. ``fps``: frames a second, instead of the result's own times;
    ``camera``: its motion, to be subtracted.

    Raises InputError where nothing says when a frame was. What cannot be measured (a track that is
    too short) is None, and ``notes`` say so.
    """
    settings = settings or MeasureSettings()
    clock = clock_of(result, fps)
    followed = tuple(_follow(course, settings, camera) for course in courses_of(result, clock))
    objects = tuple(_object(one, result.size, settings) for one in followed)
    tools = [one for one in followed if one.course.instrument]
    measures = VideoMeasures(
        result.video,
        result.size,
        float(frame_seconds(clock).sum()),
        clock.rate,
        camera is not None,
        settings,
        objects,
        tuple(pair_of(a, b, result.size) for a, b in combinations(tools, 2)),
        _classes(clock, [one.course for one in followed]),
        _heat_map([one.course for one in tools], result.size),
        tuple(_notes(clock, followed, settings)),
    )
    return Measured(measures, followed)


def _follow(course: Course, settings: MeasureSettings, camera: CameraMotion | None) -> Followed:
    clock = course.clock
    centroid = stretches_of(clock, course.centroid, settings, camera)
    if not course.instrument:
        return Followed(course, None, centroid)
    return Followed(course, stretches_of(clock, course.tip, settings, camera), centroid)


def _object(one: Followed, size: tuple[int, int], settings: MeasureSettings) -> ObjectMeasures:
    course = one.course
    shown = course.area[course.in_view]
    return ObjectMeasures(
        course.object_id,
        course.name,
        course.instrument,
        presence_of(course.clock, course.in_view, settings.debounce),
        float(shown.mean()) / (size[0] * size[1]) if len(shown) else 0.0,
        _depth(course.shaft_width[~np.isnan(course.shaft_width)]),
        None if one.tip is None else motion_of(one.tip, size, settings),
        motion_of(one.centroid, size, settings),
    )


def _depth(widths: np.ndarray) -> DepthProxy | None:
    if not len(widths):
        return None
    usual = float(np.median(widths))
    nearest, farthest = (float(v) for v in np.percentile(usual / widths, (5, 95)))
    return DepthProxy(usual, nearest, farthest)


def _classes(clock: FrameTimes, courses: Sequence[Course]) -> tuple[ClassTime, ...]:
    """By class, the longest in view first."""
    lasts, found = frame_seconds(clock), []
    for name in dict.fromkeys(course.name for course in courses):
        mine = [course for course in courses if course.name == name]
        seen = np.isin(clock.index, np.concatenate([one.clock.index[one.in_view] for one in mine]))
        seconds = float(lasts[seen].sum())
        found.append(
            ClassTime(
                name, mine[0].instrument, seconds, seconds / float(lasts.sum()), spans(clock, seen)
            )
        )
    return tuple(sorted(found, key=lambda one: -one.seconds))


def _heat_map(tools: Sequence[Course], size: tuple[int, int]) -> tuple[tuple[float, ...], ...]:
    cell = size[1] / HEAT_COLUMNS
    rows = max(1, round(size[0] / cell))
    heat = np.zeros((rows, HEAT_COLUMNS))
    for course in tools:
        known = ~np.isnan(course.tip).any(axis=1)
        x, y = ((course.tip[known] + 0.5) / cell).T
        place = np.clip(y, 0, rows - 1).astype(int), np.clip(x, 0, HEAT_COLUMNS - 1).astype(int)
        np.add.at(heat, place, frame_seconds(course.clock)[known])
    return tuple(tuple(float(v) for v in row) for row in heat.round(6))


def _notes(clock: FrameTimes, followed: Sequence[Followed], settings: MeasureSettings) -> list[str]:
    notes = []
    needed = settings.window(clock.rate) * clock.period
    if clock.rate < 20:
        notes.append(
            f"{clock.rate:.3g} frames a second: faster motion than half of that in Hz is not seen;"
            " smoothness is comparable between videos of one rate only"
        )
    for one in followed:
        missing = _missing(one.tip or one.centroid, needed)
        if missing:
            notes.append(f"{_label(one.course)}: {missing}")
    return notes


def _missing(stretches: PathSegments, needed: float) -> str:
    if not stretches.found and stretches.too_short:
        return (
            f"no motion is measured: its longest stretch in view has {stretches.longest:.2f} s,"
            f" expected {needed:.2f} s"
        )
    if not stretches.found:
        return "is never in view, so its motion is not measured"
    if stretches.too_short:
        return f"stretches under {needed:.2f} s are not in its motion ({stretches.too_short})"
    return ""


def _label(course: Course) -> str:
    own = f"object {course.object_id}"
    return own if course.name == own else f"{own} ({course.name})"
