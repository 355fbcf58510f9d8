"""The project's figures in one go: python scripts/figures.py OUT [--model nano] [--real MASKLETS]

1. J&F after 3 clicks on 10 held-out synthetic videos of 150 frames (their own seeds; procedures in
turn, the one that
   nothing is trained on among them), beside both floors.
2. The same on a folder of real masklets (``sam2s data convert`` makes one), where given; its
split ``train``,
   which nano is trained on, is left out.
3. Frames per second of ``sam2s track``: a 640 x 480 mp4 in, masks of one object out, on two cores.

``OUT`` gets ``figures.json`` (numbers, machine, versions, command), a result file and a contact
sheet per data set. An interrupted run goes on where it stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from contact_sheet import contact_sheet

from sam2s.benchmark.environment import environment
from sam2s.benchmark.report import markdown_table
from sam2s.benchmark.run_benchmark import MODEL, BenchmarkResult, Options, open_model, run_benchmark
from sam2s.export.video_file import write_video
from sam2s.files import write_json
from sam2s.masklets.masklets import open_masklets
from sam2s.synthetic import HELD_OUT, SurgicalScene, VideoSetSpec, random_spec, synthesize
from sam2s.tracking.annotator import center_click

HELD_OUT_SEED = 770_001
"""Of the test videos; training and validation sets have other seeds, and no two seeds share a
video."""
SPEED_SEED = 770_002
SPEED_FRAMES = (40, 280)
"""Lengths of the two timed videos: their difference holds no start-up."""
CORES = 2
GOALS = {"jf": 65.0, "above floors": 25.0, "fps": 15.0}


def main() -> None:
    given = _arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {"provenance": environment(), "goals": GOALS}
    with _cores(CORES):
        if not given.no_speed:
            figures["speed"] = speed(given.out, given.model)
        if not given.no_synthetic:
            data = given.out / "synthetic"
            wanted = VideoSetSpec(
                given.videos, given.frames, size=256, seed=HELD_OUT_SEED, split="test"
            )
            synthesize(data, wanted)
            figures["synthetic"] = benchmark("synthetic", data, given)
        if given.real is not None:
            figures["real"] = benchmark("real", given.real, given)
    write_json(given.out / "figures.json", figures)
    report(figures)
    print(f"all numbers: {given.out / 'figures.json'}")


def benchmark(name: str, data: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Score model and floors on ``data``, print the table, draw the sheet; the figures in short."""
    masks = given.out / f"{name}_masks"
    evaluated = open_model(given.model, memory=None if given.memory == "auto" else given.memory)
    never_trained_on = tuple(
        n for n, video in open_masklets(data).videos.items() if video.info.split != "train"
    )
    out = given.out / f"{name}.json"
    options = Options(
        prompt=given.prompt, floors=True, videos=never_trained_on, json=out, masks=masks
    )
    result = run_benchmark(data, evaluated, options)
    contact_sheet(data, masks, given.out / f"{name}.png")
    print(f"\n## {name}\n\n{markdown_table([result])}")
    return summary(result)


def summary(result: BenchmarkResult) -> dict[str, Any]:
    """J&F in percent by method: over subsets, over objects, per source and procedure; and speed."""

    def percent(scores: dict[str, Any]) -> dict[str, float | None]:
        return {
            key: None if score is None else round(100 * score.jf, 2)
            for key, score in scores.items()
        }

    boards = {method: result.board(method) for method in result.methods}
    return {
        "mean": percent({m: b.mean for m, b in boards.items()}),
        "mean_over_objects": percent({m: b.mean_over_objects for m, b in boards.items()}),
        "subsets": {m: percent(b.subsets) for m, b in boards.items()},
        "procedures": {m: percent(b.procedures) for m, b in boards.items()},
        "prompted_frames": percent({"jf": result.prompted})["jf"],
        "fps": result.frames_per_second,
        "model": dict(result.model),
    }


def speed(out: Path, model: str) -> dict[str, Any]:
    """Time ``sam2s track`` as a user runs it, on two videos that differ in length only."""
    seconds, processor, command = [], [], []
    load = os.getloadavg()[0]
    for frames in SPEED_FRAMES:
        video, click = _speed_video(out / f"speed_{frames}.mp4", frames)
        command = ["track", str(video), "--click", f"1:{click[0]},{click[1]}", "--model", model]
        command += ["--out", str(out / f"speed_{frames}")]
        began, used = time.perf_counter(), _children_time()
        subprocess.run(
            [sys.executable, "-m", "sam2s.cli", *command], check=True, stdout=subprocess.DEVNULL
        )
        seconds.append(time.perf_counter() - began)
        processor.append(_children_time() - used)
    return {
        "what": "640 x 480 mp4 in, masks of one object out",
        "command": f"sam2s {' '.join(command)}",
        "cores": CORES,
        "fps": (SPEED_FRAMES[1] - SPEED_FRAMES[0]) / (seconds[1] - seconds[0]),
        "fps_with_start_up": SPEED_FRAMES[1] / seconds[1],
        "seconds": dict(zip(map(str, SPEED_FRAMES), seconds, strict=True)),
        # Both tell a slow program from a busy machine.
        "processor_ms_per_frame": (
            1000 * (processor[1] - processor[0]) / (SPEED_FRAMES[1] - SPEED_FRAMES[0])
        ),
        "load_before": load,
    }


def _children_time() -> float:
    """Processor seconds of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _speed_video(path: Path, frames: int) -> tuple[Path, tuple[int, int]]:
    """An mp4 of a synthetic scene, and a click on the largest object of its first frame."""
    scene = SurgicalScene(random_spec(SPEED_SEED, None, SPEED_FRAMES[1], (480, 640)))
    mask = max(scene.frame(0)[1].values(), key=np.count_nonzero)
    click = center_click(mask)
    if not path.is_file():
        write_video(path, (scene.frame(t)[0] for t in range(frames)), 25.0)
    return path, (click.x, click.y)


def report(figures: dict[str, Any]) -> None:
    """Say in a few lines what was reached."""
    machine = figures["provenance"]["machine"]
    print(
        f"machine: {machine['processor']}, {CORES} of {os.cpu_count()} cores used,"
        f" {machine['system']}"
    )
    print(f"versions: {figures['provenance']['packages']}")
    print(f"command: {figures['provenance']['command']}")
    for name in ("synthetic", "real"):
        if name in figures:
            _report_scores(name, figures[name])
    if "speed" in figures:
        found = figures["speed"]
        _goal("sam2s track, frames/s", found["fps"], GOALS["fps"])
        print(
            f"    with start-up {found['fps_with_start_up']:.1f} ({found['what']}, {CORES} cores)"
        )
        print(
            f"    processor {found['processor_ms_per_frame']:.0f} ms a frame; load before"
            f" {found['load_before']:.1f}"
        )


def _report_scores(name: str, found: dict[str, Any]) -> None:
    mean = found["mean"]
    floor = max(value for method, value in mean.items() if method != MODEL)
    if name == "synthetic":
        _goal("synthetic J&F", mean[MODEL], GOALS["jf"])
        _goal("synthetic J&F above the better floor", mean[MODEL] - floor, GOALS["above floors"])
        print(f"    of it {HELD_OUT}, never trained on: {found['procedures'][MODEL].get(HELD_OUT)}")
        return
    print(f"{name} J&F: {mean}")
    for subset in found["subsets"][MODEL]:
        print(f"    {subset}: { {method: found['subsets'][method][subset] for method in mean} }")


def _goal(what: str, value: float, goal: float) -> None:
    print(f"{what}: {value:.1f} (goal {goal:g}: {'reached' if value >= goal else 'not reached'})")


@contextlib.contextmanager
def _cores(count: int) -> Iterator[None]:
    """Keep this process and its children on ``count`` cores, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--memory", default="auto", choices=("auto", "recent", "diverse"))
    parser.add_argument("--prompt", default="3-click")
    parser.add_argument("--real", type=Path, help="a folder of real masklets")
    parser.add_argument("--videos", type=int, default=10)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--no-synthetic", action="store_true")
    parser.add_argument("--no-speed", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
