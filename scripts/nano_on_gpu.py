"""The newest part of nano's recipes on one GPU, by the clock:

    python scripts/nano_on_gpu.py OUT --data DATA [--minutes 5.5] [--model nano] [--part NAME]

``--minutes`` is the time from the start of this script to the last file: drawing the synthetic
scenes (below ``--scenes``), decoding everything into memory once, and training. The part's stages
share the time by the frames that their steps hold; a stage's schedule runs by the clock, so that
the learning rate arrives at its end whatever the speed. ``DATA`` holds the folders that the recipe
calls ``data/...`` (``docs/training/README.md`` says how to make and to pack them).

``OUT`` gets half-precision weights that ``load_model`` takes: ``half.safetensors``,
``late.safetensors`` and ``end.safetensors``, averages over the steps before, ``late_raw`` and
``end_raw``, and ``log.jsonl``. Where a number is not finite, training goes on from the weights at
the last line of the log; where memory is too small a step is divided. ``--steps`` instead of the
minutes tries the script on a CPU:

    python scripts/nano_on_gpu.py OUT --data DATA --steps 3 --frames 8 --workers 0 --videos 1
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from sam2s.clips.batch import ClipBatch
from sam2s.errors import WeightsError
from sam2s.model.sam2s import build_model
from sam2s.recipes import recipe
from sam2s.train.config import Stage, SyntheticSet, TrainConfig
from sam2s.train.examples import Steps, stream
from sam2s.train.figures import Diverged, Figures, read
from sam2s.train.run import prepare
from sam2s.train.trainer import Trainer
from sam2s.train.video_pool import ensure, open_pool, training_folders
from sam2s.weights.hub import WEIGHTS_FILE
from sam2s.weights.save import save_model

ENDLESS = 1_000_000
"""Steps of a stage that the clock ends."""
SNAPSHOTS = ((0.5, "half", ("",)), (0.75, "late", ("", "_raw")))
"""Share of the training time after which weights are saved, under which names."""
SAVING = 8.0
"""Seconds kept back for the last files."""
LOG = "log.jsonl"
EVERY = 20
"""Steps of a line of the log."""
MOST_FALLS = 10
"""Times that training goes on from earlier weights before it gives up."""


def main() -> None:
    given = _arguments()
    began = time.monotonic()
    given.out.mkdir(parents=True, exist_ok=True)
    (part,) = recipe(given.part)
    config = fitted(part, given)
    shared = shutil.disk_usage("/dev/shm").free / 2**30 if Path("/dev/shm").is_dir() else math.nan
    print(f"{os.cpu_count()} cores, {shared:.0f} GiB of shared memory", flush=True)
    draw_scenes(config, given.scenes)
    print(f"{time.monotonic() - began:.0f} s: scenes are drawn", flush=True)
    pool = open_pool(training_folders(config, given.scenes), keep_gb=config.run.keep_gb)
    print(f"{time.monotonic() - began:.0f} s: {len(pool.videos)} videos in memory", flush=True)
    trainer = prepare(config, given.out, given.scenes, pool)
    print(f"{time.monotonic() - began:.0f} s: on {trainer.accelerator.device}", flush=True)
    trainer.learner.train()
    start = {"event": "start", "torch": torch.__version__, "config": asdict(config)}
    (given.out / LOG).write_text(json.dumps(start) + "\n", encoding="utf-8")
    run = Run(trainer, given, began)
    try:
        run.carry_out(config)
    finally:
        run.save("end", ("", "_raw"))
        print(f"{time.monotonic() - began:.0f} s: saved after {run.done} steps", flush=True)


@dataclass
class Run:
    """Training by the clock. ``done``: steps so far; ``falls``: how often it went back to earlier
    weights; ``saved``: names of the snapshots taken; ``safe``: what to go back to."""

    trainer: Trainer
    given: argparse.Namespace
    began: float
    done: int = 0
    falls: int = 0
    saved: set[str] = field(default_factory=set)
    safe: list[Any] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def end(self) -> float:
        """When training stops, on the clock of `time.monotonic`."""
        return self.began + 60 * self.given.minutes - SAVING

    def carry_out(self, config: TrainConfig) -> None:
        """All stages, in shares of the time by their frames."""
        frames = [
            s.schedule.steps * s.clips.batch * s.clips.accumulate * s.clips.sampler.frames
            for s in config.stages
        ]
        passed = 0.0
        for number, stage in enumerate(config.stages):
            passed += frames[number] / sum(frames)
            until = self.started + passed * (self.end - self.started)
            one = replace(config, stages=(stage,), seed=config.seed + 1000 * number)
            while self._stage(one, until):
                one = replace(one, stages=(divided(one.stages[0]),))
                torch.cuda.empty_cache()
                print(f"{stage.name}: out of memory; a step is divided", flush=True)

    def _stage(self, config: TrainConfig, until: float) -> bool:
        """One stage until the clock says ``until``; whether memory was too small for it."""
        (stage,) = config.stages
        steps = Steps(self.trainer.pool, with_steps(config, ENDLESS))
        batches = stream(steps, config.run.workers, self.trainer.accelerator.device)
        start, unread, line = time.monotonic(), list[Figures](), Line()
        self.safe = self._states()
        for step, (passes, waited) in enumerate(timed(batches)):
            passed = self._progress(step, start, until)
            if passed >= 1:
                break
            # As many steps as there would be at this speed: the schedule is where the clock is.
            expected = max(step + 1, round(step / passed)) if passed else ENDLESS
            self.trainer.config = with_steps(config, expected)
            try:
                unread.append(self.trainer.step(step, passes))
            except torch.OutOfMemoryError:
                return True
            self.done += 1
            line.waited += waited
            if (step + 1) % EVERY == 0:
                self._write(stage, step + 1, unread, line)
                unread, line = [], Line()
                self._snapshots()
        self._write(stage, step, unread, line)
        return False

    def _parts(self) -> tuple[Any, ...]:
        running = self.trainer.running
        return running.model, running.optimizer, running.average

    def _check_weights(self) -> None:
        """`Diverged` where a weight is not finite: one that a step does not use shows nowhere."""
        weights = [p.detach().abs().sum() for p in self.trainer.running.model.parameters()]
        if not torch.stack(weights).sum().isfinite():
            raise Diverged("a weight is not finite")

    def _states(self) -> list[Any]:
        """Copies of what `_parts` hold."""
        return [copy.deepcopy(part.state_dict()) for part in self._parts()]

    def _progress(self, step: int, start: float, until: float) -> float:
        if self.given.steps is not None:
            return step / self.given.steps
        return (time.monotonic() - start) / max(1e-6, until - start)

    def _snapshots(self) -> None:
        passed = (time.monotonic() - self.started) / max(1e-6, self.end - self.started)
        for share, name, kinds in SNAPSHOTS:
            if passed >= share and name not in self.saved:
                self.save(name, kinds)

    def save(self, name: str, kinds: tuple[str, ...]) -> None:
        """The present weights, averaged and, as kind ``_raw``, as they are."""
        self.saved.add(name)
        running = self.trainer.running
        for kind in kinds:
            model = build_model(running.model.config)
            model.load_state_dict(running.model.state_dict())
            if not kind:
                running.average.copy_to(model)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    written = save_model(model, folder, dtype=torch.float16) / WEIGHTS_FILE
                    shutil.copyfile(written, self.given.out / f"{name}{kind}.safetensors")
                except WeightsError as error:
                    print(f"{name}{kind}: {error}", flush=True)

    def _write(self, stage: Stage, step: int, unread: list[Figures], line: Line) -> None:
        """A line of the log, of steps whose numbers are all finite; or back to the last one."""
        try:
            figures = read(unread)
            self._check_weights()
        except Diverged as error:
            self.falls += 1
            print(f"back to the last line: {error}", flush=True)
            for part, state in zip(self._parts(), self.safe, strict=True):
                part.load_state_dict(copy.deepcopy(state))
            if self.falls > MOST_FALLS:
                raise
            return
        if not figures:
            return
        self.safe = self._states()
        means = {name: fmean(f[name] for f in figures) for name in figures[0]}
        taken = time.monotonic() - line.began
        record = {
            "time": round(time.monotonic() - self.began, 1),
            "stage": stage.name,
            "step": step,
            **{name: float(f"{value:.5g}") for name, value in means.items()},
            "steps_per_s": round(len(figures) / taken, 3),
            "waiting": round(line.waited / taken, 3),
        }
        if torch.cuda.is_available():
            record["gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
        with (self.given.out / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        shown = ("time", "stage", "step", "lr", "total", "jaccard", "presence", "dense")
        told = [f"{name} {record[name]}" for name in shown if name in record]
        speed = f"{record['steps_per_s']} steps/s, waiting {100 * record['waiting']:.0f} %"
        print(" ".join(told), speed, record.get("gib", ""), flush=True)


@dataclass
class Line:
    """What a line of the log counts. ``waited``: seconds for batches."""

    began: float = field(default_factory=time.monotonic)
    waited: float = 0.0


def timed(batches: Iterator[list[ClipBatch]]) -> Iterator[tuple[list[ClipBatch], float]]:
    """Every item with the seconds that were waited for it."""
    while True:
        asked = time.monotonic()
        passes = next(batches, None)
        if passes is None:
            return
        yield passes, time.monotonic() - asked


def fitted(part: TrainConfig, given: argparse.Namespace) -> TrainConfig:
    """``part`` with large passes, several loading processes, and its data where they are."""
    folders = []
    for folder in part.folders:
        root = given.data / Path(folder.root).name
        # What is held out need not have travelled.
        there = tuple(n for n in folder.held_out if (root / "JPEGImages" / n).is_dir())
        folders.append(replace(folder, root=str(root), held_out=there))
    workers = (os.cpu_count() or 2) - 2 if given.workers is None else given.workers
    synthetic = part.synthetic
    if given.videos is not None:
        synthetic = tuple(replace(s, videos=given.videos, frames=16) for s in synthetic[::3])
    return replace(
        part,
        model=given.model,
        folders=tuple(folders),
        synthetic=synthetic,
        run=replace(part.run, workers=workers),
        stages=tuple(_large(stage, given.frames) for stage in part.stages),
        keep_start=0.0,
        keep_from=None,
    )


def _large(stage: Stage, frames: int) -> Stage:
    """A step as one pass, of at most about ``frames`` frames."""
    clips = stage.clips
    batch = max(1, min(clips.batch * clips.accumulate, frames // clips.sampler.frames))
    return replace(stage, clips=replace(clips, batch=batch, accumulate=1))


def divided(stage: Stage) -> Stage:
    """The same step in twice as many passes of half the clips."""
    clips = stage.clips
    smaller = replace(clips, batch=max(1, clips.batch // 2), accumulate=2 * clips.accumulate)
    return replace(stage, clips=smaller)


def with_steps(config: TrainConfig, steps: int) -> TrainConfig:
    """``config``, which has one stage, with ``steps``."""
    (stage,) = config.stages
    return replace(config, stages=(replace(stage, schedule=replace(stage.schedule, steps=steps)),))


def draw_scenes(config: TrainConfig, scenes: Path) -> None:
    """All synthetic sets, a process for each core, a set of one procedure at a time."""
    sets = [
        replace(synthetic, procedures=(procedure,), seed=synthetic.seed + number)
        for synthetic in config.synthetic
        for number, procedure in enumerate(synthetic.procedures)
    ]
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork")) as processes:
        list(processes.map(_draw, sets, [scenes] * len(sets)))


def _draw(synthetic: SyntheticSet, scenes: Path) -> None:
    ensure(synthetic, scenes, workers=1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scenes", type=Path, default=Path(tempfile.gettempdir()) / "scenes")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--part", default="nano_next:wide")
    parser.add_argument("--minutes", type=float, default=5.5)
    parser.add_argument("--steps", type=int, help="of every stage, instead of the minutes")
    parser.add_argument("--frames", type=int, default=320, help="of one step, at most")
    parser.add_argument("--workers", type=int, help="loading processes (default: cores less two)")
    parser.add_argument("--videos", type=int, help="scenes of a small set, to try the script")
    given = parser.parse_args()
    if not torch.accelerator.is_available() and given.steps is None:
        parser.error("no GPU here; give --steps to try it on this processor")
    return given


if __name__ == "__main__":
    main()
