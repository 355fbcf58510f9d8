"""The newest parts of nano's recipes on one GPU, fitted to the time there is:

    python scripts/nano_on_gpu.py OUT --data DATA [--minutes 8] [--model nano] [--part NAME ...]

The recipe's parts accumulate small passes, as a CPU needs it; here a step is one large pass that
several processes load. How many steps fit is found by a few of them. ``DATA`` holds the folders
that the recipe calls ``data/...`` (``docs/training/README.md`` says how to make them), ``OUT`` gets
synthetic scenes (or ``--scenes``), one folder per part, and the trained model in the last one.
``--steps`` gives a number of steps instead of the minutes, to try the script on a CPU:

    python scripts/nano_on_gpu.py OUT --data DATA --steps 3 --frames 8 --workers 0
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import torch

from sam2s.recipes import recipe
from sam2s.train.config import Stage, TrainConfig
from sam2s.train.run import run_training
from sam2s.train.trainer import LOG
from sam2s.train.video_pool import open_pool, training_folders

PARTS = ("nano:tissue", "nano:doubles", "nano_next:repainted")
PROBE = 12
"""Steps by which the speed is measured, before every part."""
KEPT = 0.9
"""Share of the time that is planned with; the rest goes to start-up and saving."""


def main() -> None:
    given = _arguments()
    parts = [recipe(name)[0] for name in given.part]
    scenes = given.scenes or given.out / "scenes"
    began, model = time.monotonic(), given.model
    for number, part in enumerate(parts):
        config = replace(fitted(part, given), model=model, keep_start=0.0, keep_from=None)
        pool = open_pool(training_folders(config, scenes))
        steps = given.steps
        if steps is None:
            left = 60 * given.minutes - (time.monotonic() - began)
            speed = probe(config, given.out / "probe", scenes, pool)
            left -= PROBE / speed
            steps = max(PROBE, int(KEPT * left / (len(parts) - number) * speed))
            print(f"{part.name}: {speed:.2f} steps/s, {steps} steps", flush=True)
        folder = given.out / part.name
        model = str(run_training(with_steps(config, steps), folder, data_dir=scenes, pool=pool))
    print(f"trained model: {model} ({(time.monotonic() - began) / 60:.1f} minutes)")


def fitted(part: TrainConfig, given: argparse.Namespace) -> TrainConfig:
    """``part`` with large passes, several loading processes, and its data where they are."""
    folders = tuple(
        replace(folder, root=str(given.data / Path(folder.root).name)) for folder in part.folders
    )
    workers = (os.cpu_count() or 2) - 2 if given.workers is None else given.workers
    run = replace(part.run, workers=workers, checkpoint_minutes=5.0)
    stages = tuple(_large(stage, given.frames) for stage in part.stages)
    return replace(part, folders=folders, run=run, stages=stages)


def _large(stage: Stage, frames: int) -> Stage:
    """Passes of about ``frames`` frames, accumulated to no fewer clips a step than the recipe's;
    more clips a step may learn faster, by the root of how many times more."""
    clips = stage.clips
    recipes = clips.batch * clips.accumulate
    batch = max(1, frames // clips.sampler.frames)
    factor = max(1.0, batch / recipes) ** 0.5
    schedule = stage.schedule
    return replace(
        stage,
        clips=replace(clips, batch=batch, accumulate=1),
        schedule=replace(schedule, lr=schedule.lr * factor, lr_end=schedule.lr_end * factor),
    )


def with_steps(config: TrainConfig, steps: int) -> TrainConfig:
    """``config`` with ``steps`` in all, its stages in their proportions."""
    share = steps / config.steps
    return replace(
        config,
        stages=tuple(
            replace(s, schedule=replace(s.schedule, steps=max(1, round(share * s.schedule.steps))))
            for s in config.stages
        ),
    )


def probe(config: TrainConfig, folder: Path, scenes: Path, pool: object) -> float:
    """Steps per second of the second half of `PROBE` steps; the first ones start loading processes
    and choose kernels."""
    shutil.rmtree(folder, ignore_errors=True)
    short = replace(with_steps(config, PROBE), run=replace(config.run, log_every=PROBE // 2))
    run_training(short, folder, data_dir=scenes, pool=pool)  # type: ignore[arg-type]
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    speeds = [
        record["steps_per_s"] for line in lines if "steps_per_s" in (record := json.loads(line))
    ]
    shutil.rmtree(folder)
    return float(speeds[-1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scenes", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument(
        "--part", nargs="+", default=["nano:tissue", "nano_next:doubles", "nano_next:repainted"]
    )
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--steps", type=int, help="of every part, instead of the minutes")
    parser.add_argument("--frames", type=int, default=192, help="of one pass")
    parser.add_argument("--workers", type=int, help="loading processes (default: cores less two)")
    given = parser.parse_args()
    if not torch.accelerator.is_available() and given.steps is None:
        parser.error("no GPU here; give --steps to try it on this processor")
    return given


if __name__ == "__main__":
    main()
