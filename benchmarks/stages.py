"""Where our time goes: a frame by stages, what Python asks of the device, arithmetic and memory.

    PYTHONPATH=src python benchmarks/stages.py --preset base_plus --size 512 --objects 1 10
    PYTHONPATH=src python benchmarks/stages.py --frames 5000        # does memory stay flat?

Stages are timed one by one, the device being waited for before and after each, so that they add up
to more than a frame takes as it is used, which is the first line. ``share`` is arithmetic over
time, as a part of what this machine reaches in large matrix products. Launches, copies and waits
are those that the profiler saw; on a CPU, operators that Python called.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from copy import deepcopy
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from contestants import Film, Setting, pictures, shared_model
from counters import count_calls, flop, matmul_peak, used_bytes
from keywords import keyword
from stopwatch import VERBS, Stopwatch, wait_for, watched

from sam2s.benchmark.environment import environment
from sam2s.benchmark.text_table import Table
from sam2s.devices import describe, pick_device
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, FrameResult

STAGES = ("read", "resize", "upload", *VERBS, "download", "other", "write")
WARM = 24
FLAT_FROM, FLAT = 100, 0.02


@dataclass
class Anatomy:
    """What was found in one setting. ``ms``: of a frame as it is used; ``stages``: milliseconds,
    ``gflop``: 10^9 floating-point operations, both by stage; ``calls``: by name, of a frame."""

    preset: str
    size: int
    objects: int
    ms: float
    stages: dict[str, float]
    gflop: dict[str, float]
    calls: dict[str, float]

    def rows(self, peak: float) -> list[tuple[str, ...]]:
        """A line for the frame and for each stage; ``peak`` in FLOP/s."""
        whole = _row("a frame, as used", self.ms, sum(self.gflop.values()), peak)
        names = sorted(self.stages, key=STAGES.index)
        return [whole, *(_row(n, self.stages[n], self.gflop.get(n), peak) for n in names)]


def _row(name: str, ms: float, gflop: float | None, peak: float) -> tuple[str, ...]:
    if gflop is None:
        return name, f"{ms:.2f}", "-", "-"
    return name, f"{ms:.2f}", f"{gflop:.1f}", f"{100 * gflop * 1e12 / ms / peak:.1f} %"


def dissect(setting: Setting, frames: int, options: dict[str, Any]) -> Anatomy:
    """Track with a warm tracker: as it is, then under the profiler, then stage by stage."""
    film, tracker = Film(pictures()), _tracker(setting, options)
    _play(tracker, film, WARM)
    begun = time.perf_counter()
    _play(tracker, film, frames)
    wait_for(setting.device)
    ms = 1e3 * (time.perf_counter() - begun) / frames
    calls = count_calls(lambda: _play(tracker, film, frames), frames, setting.device)
    # Graphs are replayed without a call of ours that could be timed.
    tracker = _tracker(setting, {**options, "graphs": False})
    tracker.model.requires_grad_(False)  # counting arithmetic asks for it
    watch = Stopwatch(setting.device)
    _play(tracker, film, WARM)
    with watched(watch):
        results = []
        for frame in islice(film.frames(), frames):
            watch.new_frame()
            with watch.stage("other"):
                results.append(tracker.step(frame))
    gflop = {
        verb: flop(watch.calls[verb], setting.device, bf16=tracker.bf16) / 1e9 for verb in VERBS
    }
    stages = watch.median_ms() | read_and_write(results)
    return Anatomy(setting.preset, setting.size, setting.objects, ms, stages, gflop, calls)


def _tracker(setting: Setting, options: dict[str, Any]) -> Tracker:
    model = deepcopy(shared_model(setting.preset, setting.size)).to(setting.device)
    tracker = Tracker(model, **options)
    boxes = {k + 1: Box(box) for k, box in enumerate(setting.boxes())}
    tracker.step(pictures(1)[0], boxes)
    return tracker


def _play(tracker: Tracker, film: Film, frames: int) -> None:
    for frame in islice(film.frames(), frames):
        tracker.step(frame.image)


def read_and_write(results: list[FrameResult]) -> dict[str, float]:
    """Milliseconds to decode a frame of a 640 x 480 mp4, and to write masks and their line of
    tracks.json; nothing where PyAV or pycocotools is missing."""
    try:
        from sam2s.export.video_file import write_video
        from sam2s.export.writer import Output, ResultWriter
        from sam2s.media.frames import open_frames
    except ModuleNotFoundError as error:
        print(f"read and write: left out, {error.name} is not installed", file=sys.stderr)
        return {}
    watch = Stopwatch(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        write_video(
            film, (frame.image for frame in islice(Film(pictures()).frames(), len(results)))
        )
        with (
            open_frames(film) as source,
            ResultWriter(Output(Path(folder) / "out"), source, {}) as out,
        ):
            upcoming = iter(source)
            for result in results:
                watch.new_frame()
                with watch.stage("read"):
                    frame = next(upcoming)
                with watch.stage("write"):
                    out.write(frame, result)
    return watch.median_ms()


def growth(setting: Setting, frames: int, options: dict[str, Any]) -> dict[str, Any]:
    """Memory in use after frame 100 and after the last."""
    film, tracker = Film(pictures()), _tracker(setting, options)
    _play(tracker, film, FLAT_FROM)
    before = used_bytes(setting.device)
    _play(tracker, film, frames - FLAT_FROM)
    after = used_bytes(setting.device)
    grown = {name: after[name] / before[name] - 1 for name in before}
    return {"before": before, "after": after, "growth": grown, "flat": max(grown.values()) <= FLAT}


def main(argv: list[str] | None = None) -> int:
    """Print tables; exit code 1 where memory grows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--device", default="auto", help="auto, cuda, cuda:1, cpu")
    add("--preset", help="base_plus, tiny, small, large, nano")
    add("--size", type=int, help="input size")
    add("--objects", nargs="+", type=int, default=[1])
    add("--steps", type=int, default=10, help="frames that are measured")
    add("--frames", type=int, default=0, help="look at memory over so many frames instead")
    add("--memory", default="recent", help="memory rule")
    add("--tracker-option", action="append", default=[], type=keyword, metavar="KEY=VALUE")
    add("--json", type=Path, help="write everything here")
    given = parser.parse_args(argv)
    device = pick_device(given.device)
    card = device.type == "cuda"
    name = given.preset or ("base_plus" if card else "nano")
    size = given.size or (512 if card else 256)
    options = {"memory": given.memory, **dict(given.tracker_option)}
    settings = [Setting(name, size, objects, device) for objects in given.objects]
    found: dict[str, Any] = environment()
    if given.frames:
        found["memory"] = [growth(setting, given.frames, options) for setting in settings]
        for setting, grown in zip(settings, found["memory"], strict=True):
            print_growth(setting, given.frames, grown)
    else:
        bf16 = _tracker(settings[0], options).bf16
        peak = found["matmul_flop_per_s"] = matmul_peak(device, bf16=bf16)
        print(f"{describe(device, bf16=bf16)}, torch {torch.__version__};"
              f" large matrix products: {peak / 1e12:.3g} TFLOP/s")  # fmt: skip
        found["settings"] = []
        for setting in settings:
            anatomy = dissect(setting, given.steps, options)
            found["settings"].append(asdict(anatomy))
            print_anatomy(anatomy, peak)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    return int(not all(grown["flat"] for grown in found.get("memory", ())))


def print_anatomy(found: Anatomy, peak: float) -> None:
    """One setting as a table."""
    calls = ", ".join(f"{count:.0f} {name}" for name, count in found.calls.items())
    objects = f"{found.objects} object{'s' * (found.objects > 1)}"
    print(f"\n{found.preset}, {found.size} px, {objects}; on a frame {calls}\n")
    print(Table(("stage", "ms", "GFLOP", "share"), tuple(found.rows(peak))).markdown())


def print_growth(setting: Setting, frames: int, grown: dict[str, Any]) -> None:
    """One setting in a line for each kind of memory."""
    for name, share in grown["growth"].items():
        before, after = (grown[when][name] / 2**20 for when in ("before", "after"))
        print(
            f"{setting.preset}, {setting.size} px, {setting.objects} objects, {name}: {before:.1f}"
            f" MiB after frame {FLAT_FROM}, {after:.1f} after {frames}: {100 * share:+.2f} %"
            f" ({'flat' if share <= FLAT else 'it grows'})"
        )


if __name__ == "__main__":
    sys.exit(main())
