"""The training loop on Hugging Face accelerate: one process or many, any device, resumable to the bit."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm

from sam2s.data.batch import ClipBatch, ClipSample
from sam2s.errors import InputError, Sam2sError
from sam2s.memory.policy import make_policy
from sam2s.model.presets import preset
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.train.checkpoint import CHECKPOINT, Running, load_checkpoint, save_checkpoint
from sam2s.train.config import TrainConfig, to_json
from sam2s.train.datasets import ensure, training_folders
from sam2s.train.examples import Examples, generator, open_pool
from sam2s.train.learner import ClipLearner
from sam2s.train.losses import Losses, true_iou
from sam2s.train.optim import MovingAverage, build_optimizer, freeze, learning_rate, set_lr
from sam2s.train.overlay import save_overlay
from sam2s.train.semantic import check_classes, with_semantics
from sam2s.train.start import prepare_start
from sam2s.train.unroll import Answer, draw_script
from sam2s.train.validate import load_validation, validate
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model

LOG = "log.jsonl"
CLICKS, LAYERS, SCRIPT = 1, 2, 3
"""Purposes of random numbers besides the clips themselves (see `examples.generator`)."""


class Diverged(Sam2sError):
    """A loss or gradient became NaN or infinite; the message names the clips of the offending batch."""


def run_training(
    config: TrainConfig, out_dir: Path | str, *, resume: bool = False, data_dir: Path | str | None = None
) -> Path:
    """Carry out ``config`` and return the folder of the trained model, ``out_dir/model``.

    ``out_dir`` receives ``config.json``, ``log.jsonl``, ``checkpoint.pt`` and sample overlays. Synthetic scenes are
    made once under ``data_dir`` (default ``out_dir/data``). ``resume`` goes on from the checkpoint; without it a folder
    that holds one is refused. Raises InputError for unusable data or configuration, `Diverged` for NaN.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    if not resume and (out_dir / CHECKPOINT).exists():
        raise InputError(f"{out_dir}: holds a checkpoint; resume that run or choose another folder")
    trainer = _prepare(config, out_dir, Path(data_dir) if data_dir is not None else out_dir / "data")
    first = load_checkpoint(out_dir, config, trainer.running) if resume else 0
    if trainer.accelerator.is_main_process:
        (out_dir / "config.json").write_text(to_json(config) + "\n", encoding="utf-8")
    trainer.fit(first)
    return trainer.finish()


def _prepare(config: TrainConfig, out_dir: Path, data_dir: Path) -> _Trainer:
    """Everything built and placed, nothing trained yet."""
    accelerator = Accelerator(
        cpu=not torch.accelerator.is_available(),  # or processes under torchrun would not find each other
        mixed_precision="bf16" if config.run.precision == "bf16" else "no",
        log_with="tensorboard" if config.run.tensorboard else None,
        project_dir=out_dir,
        # What takes part depends on the batch: no memory in single pictures, no prompt encoder after a given mask.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if config.run.tensorboard:
        accelerator.init_trackers("tensorboard")
    with accelerator.main_process_first():
        folders = training_folders(config, data_dir)
        held_out = [] if config.validation is None else ensure(config.validation.data, data_dir)
    samples = [] if config.validation is None else load_validation(held_out, config.validation)
    model = starting_model(config)
    learner = ClipLearner(model, make_policy(config.memory))
    learner, optimizer = accelerator.prepare(learner, build_optimizer(model, config.optim))
    average = MovingAverage(model, config.optim.ema, config.optim.ema_warmup) if config.optim.ema else None
    pool = open_pool(folders)
    if model.semantic_head is not None:
        check_classes(pool.videos, model.semantic_head.classes)
    examples = Examples(pool, config, rank=accelerator.process_index)
    return _Trainer(config, out_dir, accelerator, learner, Running(model, optimizer, average), examples, samples)


def starting_model(config: TrainConfig) -> SAM2S:
    """The model before the first step: the loaded one, or a fresh one that depends on the seed alone."""
    torch.manual_seed(config.seed)
    if config.pretrained:
        model = load_model(config.model, device="cpu")
    else:
        model = build_model(preset(config.model))
        prepare_start(model)
    return model if config.semantic is None else with_semantics(model, config.semantic)


@dataclass
class _Trainer:
    """A run in progress."""

    config: TrainConfig
    out_dir: Path
    accelerator: Accelerator
    learner: torch.nn.Module
    running: Running
    examples: Examples
    samples: list[ClipSample]
    last_saved: float = field(default_factory=time.monotonic)

    def fit(self, first: int) -> None:
        """Train from step ``first`` to the end of the recipe."""
        self._log({"event": "start", "step": first, **_provenance(), "config": asdict(self.config)})
        self.learner.train()
        bar = tqdm(total=self.config.steps, initial=first, unit="step", disable=not self.accelerator.is_main_process)
        tick, figures = time.monotonic(), []
        for step, batch in enumerate(self._batches(first), start=first):
            figures.append(self.step(step, batch))
            bar.update()
            if (step + 1) % self.config.run.log_every == 0:
                means = {name: round(fmean(f[name] for f in figures), 5) for name in figures[0]}
                speed = round(len(figures) / (time.monotonic() - tick), 3)
                tick, figures = time.monotonic(), []
                bar.set_postfix(loss=f"{means['total']:.2f}", J=f"{means['jaccard']:.1f}")
                stage, _ = self.config.stage_at(step)
                self._log({"step": step + 1, "stage": stage.name, **means, "steps_per_s": speed})
            self._after(step + 1)
        bar.close()

    def step(self, step: int, batch: ClipBatch) -> dict[str, float]:
        """One optimiser step; its figures for the log: losses are means over answers."""
        stage, within = self.config.stage_at(step)
        lr = learning_rate(within, stage.steps, stage.lr, stage.lr_end, stage.warmup)
        set_lr(self.running.optimizer, lr)
        freeze(self.running.model, stage.frozen)
        rank = self.accelerator.process_index
        torch.manual_seed(int(generator(self.config.seed, step, rank, LAYERS).integers(2**62)))
        # All processes play the same script (as in SAM 2), so that none waits long for another.
        script = draw_script(stage.user, batch.frames, generator(self.config.seed, step, purpose=SCRIPT))
        losses, answers = self.learner(batch, stage, script, generator(self.config.seed, step, rank, CLICKS))
        norm = self._descend(losses, batch, step)
        if (step + 1) % self.config.run.overlay_every == 0 and self.accelerator.is_main_process:
            save_overlay(self.out_dir / "overlays" / f"{step + 1:06d}.png", batch, answers)
        figures = {name: float(value.detach()) / len(answers) for name, value in losses.terms().items()}
        shape = {"rows": float(batch.rows), "answers": float(len(answers))}
        return {"lr": lr, "norm": norm, **shape, "jaccard": _mean_jaccard(batch, answers), **figures}

    def _descend(self, losses: Losses, batch: ClipBatch, step: int) -> float:
        """Backward pass, clipping, optimiser, moving average; the gradient's norm before clipping."""
        self._guard(losses.total, "loss", batch, step)
        self.running.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(losses.total)
        norm = self.accelerator.clip_grad_norm_(self.learner.parameters(), self.config.optim.clip)
        self._guard(norm, "gradient", batch, step)
        self.running.optimizer.step()
        if self.running.average is not None:
            self.running.average.update(self.running.model)
        return float(norm)

    def _guard(self, value: Tensor, what: str, batch: ClipBatch, step: int) -> None:
        if not torch.isfinite(value).all():
            named = "; ".join(str(clip) for clip in batch.clips)
            raise Diverged(
                f"step {step + 1}: the {what} is {float(value.detach())}, with the clips {named}; look at their "
                "pictures and masks, lower the learning rate, or train in fp32, then resume from the last checkpoint"
            )

    def _batches(self, first: int) -> Iterator[ClipBatch]:
        self.examples.first = first
        loader = DataLoader(
            self.examples,
            batch_size=None,
            num_workers=self.config.run.workers,
            prefetch_factor=4 if self.config.run.workers else None,
            collate_fn=_as_is,
        )
        return (batch.to(self.accelerator.device) for batch in loader)

    def _after(self, done: int) -> None:
        """Validation and checkpoint when they are due, ``done`` steps being done."""
        if not self.accelerator.is_main_process:
            return
        validation = self.config.validation
        last = done == self.config.steps
        if validation is not None and (done % validation.every == 0 or last):
            self._log({"event": "validation", "step": done, **self.validate()})
        if last or time.monotonic() - self.last_saved > 60 * self.config.run.checkpoint_minutes:
            save_checkpoint(self.out_dir, self.config, done, self.running)
            self.last_saved = time.monotonic()

    def validate(self) -> dict[str, float]:
        """The figures of `validate.Validation`, for the averaged weights."""
        if not self.samples:
            return {}
        model = self._averaged()
        policy = make_policy(model.config.memory)
        return asdict(validate(model, policy, self.samples, self.accelerator.device))

    def _averaged(self) -> SAM2S:
        """A copy of the model with the averaged weights (the present ones where none are kept), ready for inference."""
        model = build_model(self.running.model.config).to(self.accelerator.device)
        model.load_state_dict(self.running.model.state_dict())
        if self.running.average is not None:
            self.running.average.copy_to(model)
        return model.eval()

    def finish(self) -> Path:
        """Save the trained model beside its configuration."""
        folder = self.out_dir / "model"
        if self.accelerator.is_main_process:
            save_model(self._averaged(), folder)
        self.accelerator.end_training()
        return folder

    def _log(self, record: dict[str, Any]) -> None:
        if not self.accelerator.is_main_process:
            return
        with (self.out_dir / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps({"time": round(time.time(), 1), **record}) + "\n")
        if self.config.run.tensorboard and "step" in record:
            numbers = {k: v for k, v in record.items() if isinstance(v, int | float) and k != "step"}
            self.accelerator.log(numbers, step=record["step"])


def _as_is(batch: Any) -> Any:
    """Batches come whole from the data set."""
    return batch


@torch.no_grad()
def _mean_jaccard(batch: ClipBatch, answers: list[Answer]) -> float:
    """Mean Jaccard index, in percent, of the chosen masks where the object is present, at the decoder's resolution."""
    scores = []
    for answer in answers:
        logits = answer.decoded.mask_logits[:, None]
        truth = torch.nn.functional.avg_pool2d(batch.masks[answer.frame, :, None].float(), 4) >= 0.5
        present = truth.flatten(1).any(1) & batch.annotated[answer.frame]
        scores.append(true_iou(logits, truth.float())[present, 0])
    found = torch.cat(scores)
    return 100 * float(found.mean()) if len(found) else 0.0


def _provenance() -> dict[str, str | None]:
    """Version of the code and of torch; the git revision where the package lies in a working copy."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        revision = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        revision = None
    return {"git": revision, "torch": torch.__version__}
