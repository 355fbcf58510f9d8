"""How fast a training step is here, and where its time goes:

    python scripts/train_speed.py OUT [--device cuda] [--clips 40] [--frames 8] [--steps 40]
    python scripts/train_speed.py OUT --clips 2 --frames 2 --size 64 --steps 3     # on a CPU

Batches made beforehand are trained on again and again, so no loading is in these numbers; then the
stages of a step are timed, each with the device waited for, which makes their sum longer than a
step. With ``--loop STEPS`` the same is run as ``sam2s train`` runs it, its clips drawn by
``--workers`` processes. The clips are of squares that slide over noise, or of ``--data`` (masklet
folders); stages, losses and user are those of ``--part`` (a part of a recipe) and its ``--stage``.

OUT gets the data, the numbers (``speed.json``), and what the run writes. Needs torch, NumPy, SciPy,
Pillow, safetensors, accelerate, Hugging Face's hub, tqdm and OpenCV.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sam2s.train.learner as learner_module
from sam2s.clips.batch import ClipBatch
from sam2s.devices import describe, pick_device
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.recipes import recipe
from sam2s.train.config import FolderSet, TrainConfig
from sam2s.train.examples import Examples
from sam2s.train.figures import read
from sam2s.train.run import prepare, run_training
from sam2s.train.trainer import LOG, Trainer

WARM_UP = 6
"""Steps before the clock starts: the first ones choose kernels and fill caches."""
STAGED = 8
"""Most steps that are timed stage by stage."""


def main() -> None:
    given = _arguments()
    roots = given.data or [squares(given.out / "squares", given.size, max(24, 3 * given.frames))]
    config = configured(given, roots)
    found: dict[str, Any] = {"command": vars(given) | {"out": str(given.out), "data": len(roots)}}
    trainer = prepare(config, given.out / "step", given.out)
    trainer.learner.train()
    device = trainer.accelerator.device
    bf16 = trainer.accelerator.mixed_precision == "bf16"
    print(f"{describe(device, bf16=bf16)}, torch {torch.__version__}", flush=True)
    batches = [fixed(config, trainer, diverse) for diverse in (0.0, 1.0)]
    rows = ", ".join(f"{batch.rows} rows" for batch in batches)
    size = f"{given.clips} clips of {given.frames} frames at {given.size} px"
    print(f"{config.name} / {config.stages[0].name}: {size} ({rows})", flush=True)
    found["steps_per_s"] = whole_steps(trainer, batches, given.steps)
    print(f"a step: {found['steps_per_s']:.2f} a second, {1 / found['steps_per_s']:.3f} s each")
    found["seconds"] = staged(trainer, batches, min(given.steps, STAGED))
    for name, seconds in found["seconds"].items():
        print(f"    {name:10s} {1000 * seconds:8.1f} ms")
    if device.type == "cuda":
        found["gigabytes"] = torch.cuda.max_memory_allocated(device) / 1e9
        print(f"    {found['gigabytes']:.1f} GB at most")
    del trainer
    if given.loop:
        found["loop_steps_per_s"] = whole_loop(config, given)
        print(f"with loading: {found['loop_steps_per_s']:.2f} steps a second")
    (given.out / "speed.json").write_text(json.dumps(found, indent=1, default=str) + "\n")


def configured(given: argparse.Namespace, roots: list[Path]) -> TrainConfig:
    """The stage asked for, at the sizes asked for, on one pass a step."""
    part = recipe(given.part)[0]
    stage = next(stage for stage in part.stages if stage.name == given.stage)
    clips, far = stage.clips, min(2, given.frames - 2)
    drawn = replace(
        clips,
        size=given.size,
        batch=given.clips,
        accumulate=1,
        sampler=replace(clips.sampler, frames=given.frames),
        diverse_sampler=replace(
            clips.diverse_sampler, long_term=far, recent=given.frames - 1 - far
        ),
    )
    steps = max(given.loop, given.steps + STAGED + WARM_UP)
    stage = replace(stage, clips=drawn, schedule=replace(stage.schedule, steps=steps))
    run = replace(
        part.run,
        device=given.device,
        precision=given.precision,
        workers=given.workers,
        log_every=max(1, given.loop // 4),
        overlay_every=10**9,
        checkpoint_minutes=10**9,
    )
    folders = tuple(FolderSet(str(root), stills=True) for root in roots)
    return replace(
        part,
        model=given.model,
        pretrained=True,
        stages=(stage,),
        synthetic=(),
        folders=folders,
        validation=None,
        keep_start=0.0,
        keep_from=None,
        run=run,
    )


def squares(root: Path, size: int, frames: int) -> Path:
    """A masklet folder of two videos with three objects each, which leave and come back."""
    shutil.rmtree(root, ignore_errors=True)
    objects = {k: ObjectInfo("grasper", "instrument") for k in (1, 2, 3)}
    rng = np.random.default_rng(0)
    with MaskletWriter(root) as writer:
        for number in range(2):
            name = f"squares{number}"
            writer.add_video(name, VideoInfo("synthetic", "test", "train", 25.0, objects))
            for t in range(frames):
                image = rng.integers(0, 90, (size, size, 3)).astype(np.uint8)
                masks = {}
                for k in objects:
                    y = int(size * (k - 0.5) / 4)
                    x = int(size * ((0.3 * k + 0.05 * t) % 1.2 - 0.1))
                    masks[k] = np.zeros((size, size), bool)
                    masks[k][y : y + size // 5, max(0, x) : max(0, x + size // 4)] = True
                    image[masks[k]] = (60 * k, 255 - 50 * k, 90 + 40 * number)
                writer.write(name, f"{t:05d}", image, masks)
    return root


def fixed(config: TrainConfig, trainer: Trainer, diverse: float) -> ClipBatch:
    """One batch from moving clips, of SAM 2's kind or of DiveMem's, ready to be uploaded."""
    stage = config.stages[0]
    clips = replace(stage.clips, diverse=diverse, stills=0.0)
    moving = replace(config, stages=(replace(stage, clips=clips),))
    batch = Examples(trainer.pool, moving)[0]
    return batch.pin_memory() if trainer.accelerator.device.type == "cuda" else batch


def whole_steps(trainer: Trainer, batches: list[ClipBatch], steps: int) -> float:
    """Steps a second, with nothing read from the device but once at the end."""
    device, unread = trainer.accelerator.device, []
    begun = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            _wait(device)
            begun = time.perf_counter()
        batch = batches[step % len(batches)].to(device)
        unread.append(trainer.step(step, [batch]))
    read(unread)
    return steps / (time.perf_counter() - begun)


def staged(trainer: Trainer, batches: list[ClipBatch], steps: int) -> dict[str, float]:
    """Mean seconds of each stage of a step."""
    device, spent = trainer.accelerator.device, defaultdict[str, float](float)

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        _wait(device)
        begun = time.perf_counter()
        yield
        _wait(device)
        spent[name] += (time.perf_counter() - begun) / steps

    def clocked(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            with timed(name):
                return call(*arguments, **options)

        return run

    learner = trainer.accelerator.unwrap_model(trainer.learner)
    before = learner_module.unroll
    learner_module.unroll = clocked("unroll", before)
    learner._judge = clocked("judge", learner._judge)
    learner._with_dense = clocked("dense", learner._with_dense)
    learner.model.encode = clocked("encode", learner.model.encode)
    optimizer = trainer.running.optimizer
    optimizer.step = clocked("optimiser", optimizer.step)  # type: ignore[method-assign]
    trainer.accelerator.backward = clocked("backward", trainer.accelerator.backward)  # type: ignore[method-assign]
    for step in range(steps):
        with timed("step"):
            with timed("transfer"):
                batch = batches[step % len(batches)].to(device)
            figures = trainer.step(step, [batch])
            with timed("figures"):
                read([figures])
    learner_module.unroll = before
    del learner._judge, learner._with_dense, learner.model.encode, optimizer.step
    whole = spent.pop("step")
    order = ("transfer", "encode", "unroll", "judge", "dense", "backward", "optimiser", "figures")
    known = {name: spent[name] for name in order}
    return {**known, "rest": whole - sum(known.values()), "step": whole}


def whole_loop(config: TrainConfig, given: argparse.Namespace) -> float:
    """Steps a second of the second half of a run that loads its own clips."""
    folder = given.out / "loop"
    shutil.rmtree(folder, ignore_errors=True)
    stages = tuple(
        replace(stage, schedule=replace(stage.schedule, steps=given.loop))
        for stage in config.stages
    )
    run_training(replace(config, stages=stages), folder, data_dir=given.out)
    lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
    speeds = [r["steps_per_s"] for line in lines if "steps_per_s" in (r := json.loads(line))]
    later = speeds[len(speeds) // 2 :]
    return len(later) / sum(1 / speed for speed in later)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--part", default="nano_next:wide")
    parser.add_argument("--stage", default="whole clips")
    parser.add_argument("--clips", type=int, default=40, help="of a step")
    parser.add_argument("--frames", type=int, default=8, help="of a clip")
    parser.add_argument("--size", type=int, default=256, help="side of the input, pixels")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--loop", type=int, default=0, help="steps of a run with loading")
    parser.add_argument("--workers", type=int, default=0, help="loading processes of that run")
    parser.add_argument("--data", type=Path, action="append", help="masklet folder; repeatable")
    given = parser.parse_args()
    if given.frames < 2:
        parser.error(f"--frames {given.frames}: a clip has two or more")
    given.device = str(pick_device(given.device))
    given.out.mkdir(parents=True, exist_ok=True)
    return given


if __name__ == "__main__":
    main()
