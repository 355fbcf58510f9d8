"""How far off measures are when they come from tracked masks instead of true ones.

    python scripts/measure_errors.py OUT [--scenes 8] [--frames 250] [--model nano]

Synthetic scenes with instruments are made with SEEDS of their own; every instrument is prompted
with three clicks of the simulated user on the first frame that shows it, and tracked to the end.
The measures of the tracked masks are compared with those of the true masks on the same frames, and
the tip that is found in true masks with the tip of the tool's true pose. Writes OUT/table.md and
OUT/errors.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.files import replace_text, write_json
from sam2s.formats.result import ObjectMask, Result, ResultFrame
from sam2s.measures.camera_motion import CameraMotion, camera_motion
from sam2s.measures.landmarks import Landmarks, find_landmarks
from sam2s.measures.video_measures import ObjectMeasures, measure_result
from sam2s.media.frames import open_frames
from sam2s.synthetic.scene import SurgicalScene
from sam2s.synthetic.spec import random_spec
from sam2s.tracking.annotator import center_click, to_points
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, Points
from sam2s.weights.load import load_model

SEED = 90_000
"""Of the first scene; training and the other tables use others."""
CLICKS = 3
LEAST = 40
"""True pixels that an instrument must show on the frame on which it is prompted."""

Masks = list[dict[int, np.ndarray]]
Measure = Callable[[Any], float | None]


def of(point: str, path: str) -> Measure:
    """The value at ``path`` of the motion of a point, None where there is none."""

    def value(one: ObjectMeasures) -> float | None:
        found = getattr(one, point)
        for name in path.split("."):
            found = None if found is None else getattr(found, name)
        return None if found is None else float(found)

    return value


OBJECT: dict[str, Measure] = {
    "time in view": lambda one: one.presence.in_view,
    "entries": lambda one: float(one.presence.entries),
    "exits": lambda one: float(one.presence.exits),
    "absences": lambda one: float(len(one.presence.absences)),
    "path of the tip": of("tip", "path.px"),
    "path of the centroid": of("centroid", "path.px"),
    "mean speed of the tip": of("tip", "speed_mean.px"),
    "mean speed of the centroid": of("centroid", "speed_mean.px"),
    "mean acceleration of the tip": of("tip", "acceleration_mean.px"),
    "working area of the tip": of("tip", "working_area.px"),
    "economy of motion": of("tip", "economy"),
    "economy of area": of("tip", "economy_of_area"),
    "idle share": of("tip", "idle_share"),
    "actions": lambda one: None if one.tip is None else float(len(one.tip.actions)),
    "SPARC": of("tip", "smoothness.sparc"),
    "logarithm of the jerk": of("tip", "smoothness.log_dimensionless_jerk"),
    "shaft width": of("depth", "shaft_width"),
}
PAIR: dict[str, Measure] = {
    "time together": lambda one: one.together,
    "mean distance": of("distance_mean", "px"),
    "correlation of speeds": lambda one: one.speed_correlation,
}
STEADY: dict[str, Measure] = {
    "path of the tip over the background": of("tip", "path.px"),
    "path of the centroid over the background": of("centroid", "path.px"),
}
SHARES = {
    *("time in view", "time together", "mean distance", "shaft width", "economy of area"),
    *(name for name in (*OBJECT, *STEADY) if name.startswith(("path", "mean", "working"))),
}


def main() -> int:
    """Make the scenes, track, measure, compare; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--frames", type=int, default=250)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tracker = Tracker(load_model(options.model))
    found: dict[str, list[tuple[float, float]]] = {}
    ious: list[float] = []
    tips: list[float] = []
    for number in range(options.scenes):
        spec = random_spec(SEED + number, None, options.frames, (options.size, options.size))
        scene = SurgicalScene(spec)
        run = track_scene(scene, tracker)
        ious += run.ious
        tips += tip_errors(scene, run.true)
        for name, pair in compared(scene, run):
            found.setdefault(name, []).append(pair)
        print(
            f"{number + 1}/{options.scenes} {spec.procedure}: {np.mean(run.ious):.2f}", flush=True
        )
    summary = (
        f"{options.scenes} scenes of {options.frames} frames, {len(found['entries'])} instruments,"
        f" {options.model} after {CLICKS} clicks, mean IoU {np.mean(ious):.2f}. The tip of a true"
        f" mask lies {np.median(tips):.1f} px from the tip of the true pose (median; 90 % within"
        f" {np.percentile(tips, 90):.1f} px) in pictures {options.size} px wide."
    )
    table = markdown(found)
    replace_text(options.out / "table.md", f"{summary}\n\n{table}")
    write_json(options.out / "errors.json", {"summary": summary, "true, tracked": found})
    print(summary, table, sep="\n\n")
    return 0


@dataclass(frozen=True)
class Run:
    """True and tracked masks of each frame, of the objects that were prompted by then; the IoUs
    after the prompts; and the pictures."""

    true: Masks
    tracked: Masks
    ious: list[float]
    images: list[np.ndarray]


def track_scene(scene: SurgicalScene, tracker: Tracker) -> Run:
    """Prompt each instrument on the first frame that shows it, and track to the end."""
    tracker.reset()
    run = Run([], [], [], [])
    tools = [i for i, info in scene.objects.items() if info.kind == "instrument"]
    known: set[int] = set()
    for index, (image, masks) in enumerate(scene.render()):
        new = {i for i in tools if i not in known and masks[i].sum() >= LEAST}
        frame = Frame(index, index / scene.spec.fps, image)
        result = tracker.step(frame, {i: clicks(tracker, frame, i, masks[i]) for i in new})
        known |= new
        run.images.append(image)
        run.true.append({i: masks[i] for i in known})
        run.tracked.append({i: result.masks[i] for i in known})
        for i in known - new:
            union = (masks[i] | result.masks[i]).sum()
            run.ious.append(float((masks[i] & result.masks[i]).sum() / union) if union else 1.0)
    return run


def clicks(tracker: Tracker, frame: Frame, object_id: int, mask: np.ndarray) -> Points:
    """The simulated user's clicks, each at the largest error of the mask before."""
    placed = [center_click(mask)]
    while len(placed) < CLICKS:
        seen = tracker.preview(frame, {object_id: to_points(placed)})
        placed.append(center_click(mask, seen.masks[object_id]))
    return to_points(placed)


def compared(scene: SurgicalScene, run: Run) -> Iterator[tuple[str, tuple[float, float]]]:
    """(measure, (of true masks, of tracked masks)), of every object and pair that has both."""
    true, tracked = result_of(scene, run.true), result_of(scene, run.tracked)
    one, other = measure_result(true).measures, measure_result(tracked).measures
    pairs: list[tuple[Any, Any, Mapping[str, Measure]]] = [
        *((a, b, OBJECT) for a, b in zip(one.objects, other.objects, strict=True)),
        *((a, b, PAIR) for a, b in zip(one.pairs, other.pairs, strict=True)),
    ]
    # The camera's true motion with true masks, against the one told from the background.
    steps = {t: s for t in range(len(run.true)) if (s := scene.camera_step(t)) is not None}
    pictures = open_frames(run.images, fps=scene.spec.fps)
    steady = measure_result(true, camera=CameraMotion(steps)).measures
    flow = measure_result(tracked, camera=camera_motion(pictures, tracked)).measures
    pairs += [(a, b, STEADY) for a, b in zip(steady.objects, flow.objects, strict=True)]
    for a, b, measures in pairs:
        for name, value in measures.items():
            expected, got = value(a), value(b)
            if expected is not None and got is not None:
                yield name, (expected, got)


def result_of(scene: SurgicalScene, masks: Masks) -> Result:
    """Masks as a run would have written them."""
    spec = scene.spec

    def frames() -> Iterator[ResultFrame]:
        for index, found in enumerate(masks):
            coded = {i: ObjectMask.of(mask) for i, mask in found.items()}
            yield ResultFrame(index, index / spec.fps, coded)

    names = {i: str(info.class_name) for i, info in scene.objects.items()}
    return Result(spec.procedure, spec.size, spec.fps, names, frames)


def tip_errors(scene: SurgicalScene, truth: Masks) -> Iterator[float]:
    """Pixels between the tip of a true mask and the tool's true tip, where the mask shows that."""
    before: dict[int, Landmarks] = {}
    for index, masks in enumerate(truth):
        poses = scene.tips(index)
        for i, mask in masks.items():
            found = find_landmarks(mask, before.get(i))
            if found is None:
                continue
            before[i] = found
            x, y = (round(float(v)) for v in poses.get(i, (-9.0, -9.0)))
            around = mask[max(y - 2, 0) : max(y + 3, 0), max(x - 2, 0) : max(x + 3, 0)]
            if around.any():
                yield float(np.hypot(*(found.tip - poses[i])))


def markdown(found: Mapping[str, list[tuple[float, float]]]) -> str:
    """A row a measure. Errors of amounts are shares of the true value, those of counts and
    dimensionless numbers differences."""
    lines = [
        "| measure | of | true, median | error, median | 90 % within | bias, median |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, pairs in found.items():
        true, got = np.array(pairs, float).T
        share = name in SHARES
        if share:
            true, got = true[true > 0], got[true > 0]
        error = (got - true) / true if share else got - true
        size = np.abs(error)
        cells = [np.median(size), np.percentile(size, 90), np.median(error)]
        shown = [f"{100 * v:.0f} %" if share else f"{v:.2f}" for v in cells]
        lines.append(
            f"| {name} | {len(true)} | {np.median(true):.3g} | " + " | ".join(shown) + " |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
