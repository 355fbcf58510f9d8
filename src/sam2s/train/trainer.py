"""One run in progress: steps, log, validation, checkpoints. ``loop`` builds it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from sam2s.clips.batch import ClipBatch, ClipSample
from sam2s.export.overlay import fill_mask, outline_mask, save_grid
from sam2s.files import json_text
from sam2s.geometry import logits_to_source
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.progress import progress_bar
from sam2s.train.checkpoint import Running, save_checkpoint
from sam2s.train.config import TrainConfig
from sam2s.train.examples import Steps, draw_rank, generator, stream
from sam2s.train.figures import Figures, named_clips, pass_figures, read
from sam2s.train.initial_weights import add_adapters, merged, starting_model
from sam2s.train.optim import freeze, learning_rate, set_lr
from sam2s.train.sharding import is_sharded, whole
from sam2s.train.unroll import Answer, draw_script
from sam2s.train.validate import validate
from sam2s.train.video_pool import VideoPool
from sam2s.weights.average import average_weights
from sam2s.weights.save import save_model

LOG = "log.jsonl"
MOST_ROWS = 6
"""Most objects on the picture of a step."""
PREDICTED, TRUE = (255, 64, 64), (64, 255, 64)
CLICKS, LAYERS, SCRIPT = 1, 2, 3
"""Purposes of random numbers besides the clips themselves (see `examples.generator`)."""


@dataclass(frozen=True, slots=True)
class Due:
    """What this process has to do after a step."""

    validation: bool
    checkpoint: bool


@dataclass
class Trainer:
    """A run in progress. ``learner`` is the wrapped module, ``running`` what changes, ``samples``
    what is validated."""

    config: TrainConfig
    out_dir: Path
    accelerator: Accelerator
    learner: torch.nn.Module
    running: Running
    pool: VideoPool
    samples: list[ClipSample]
    last_saved: float = field(default_factory=time.monotonic)

    def fit(self, first: int) -> None:
        """Train from step ``first`` to the end of the recipe."""
        self._log({"event": "start", "step": first, **_provenance(), "config": asdict(self.config)})
        self.learner.train()
        bar = progress_bar(
            self.config.steps,
            unit="step",
            shown=self.accelerator.is_main_process,
            initial=first,
        )
        tick, unread = time.monotonic(), list[Figures]()
        figures: list[dict[str, float]] = []
        batches = stream(self.steps(first), self.config.run.workers, self.accelerator.device)
        for step, passes in enumerate(batches, start=first):
            unread.append(self.step(step, passes))
            bar.update()
            logged = (step + 1) % self.config.run.log_every == 0
            due = self._due(step + 1)
            # A CPU has computed them already; elsewhere nobody waits for them between the lines of
            # the log. Nothing is validated or saved before they are known to be numbers.
            if logged or due.validation or due.checkpoint or self.accelerator.device.type == "cpu":
                figures += read(unread)
                unread = []
            if logged:
                means = self._means(figures)
                speed = round(len(figures) / (time.monotonic() - tick), 3)
                tick, figures = time.monotonic(), []
                bar.set_postfix(loss=f"{means['total']:.2f}", J=f"{means['jaccard']:.1f}")
                stage, _ = self.config.stage_at(step)
                self._log({"step": step + 1, "stage": stage.name, **means, "steps_per_s": speed})
            self._after(step + 1, due)
        read(unread)
        bar.close()

    def steps(self, first: int) -> Steps:
        """The batches of this process from step ``first`` on."""
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        return Steps(self.pool, self.config, first=first, rank=rank, processes=processes)

    def step(self, step: int, passes: Sequence[ClipBatch]) -> Figures:
        """One optimiser step; its figures for the log, of which those of the loss are this
        process's share."""
        stage, within = self.config.stage_at(step)
        lr = learning_rate(
            within,
            stage.schedule.steps,
            stage.schedule.lr,
            stage.schedule.lr_end,
            stage.schedule.warmup,
        )
        set_lr(self.running.optimizer, lr)
        drawn = (step + 1) % self.config.run.overlay_every == 0 and self.accelerator.is_main_process
        figures = self.descend(step, passes, overlay=drawn)
        norm = whole(
            self.accelerator.clip_grad_norm_(self.learner.parameters(), self.config.optim.clip)
        )
        self.running.optimizer.step()
        if self.running.average is not None:
            self.running.average.update(self.running.model)
        return replace(figures, lr=lr, norm=norm)

    def descend(self, step: int, passes: Sequence[ClipBatch], *, overlay: bool = False) -> Figures:
        """The gradients of step ``step``, without changing a weight; ``overlay``: the first pass is
        drawn to a file.

        Every row of every pass and process weighs the same, so they are those of one batch that
        holds all rows. DDP takes the mean over processes, hence the factor.
        """
        stage, _ = self.config.stage_at(step)
        freeze(self.running.model, stage.teaching.frozen, always=self.running.frozen)
        self.running.optimizer.zero_grad(set_to_none=True)
        own = sum(batch.rows for batch in passes)
        rows: int | Tensor = own
        if self.accelerator.num_processes > 1:
            # Stays a tensor: what it is, only the device needs to know.
            own_there = torch.full((), own, dtype=torch.float32, device=self.accelerator.device)
            rows = self.accelerator.reduce(own_there, "sum")
        figures: list[Tensor] = []
        for number, batch in enumerate(passes):
            # Processes exchange gradients after the last pass only.
            last = number == len(passes) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.learner):
                figures.append(
                    self._pass(step, number, batch, batch.rows / rows, overlay and number == 0)
                )
        clips = tuple(named_clips(batch) for batch in passes)
        return Figures(step, torch.stack(figures), clips, own)

    def _pass(
        self, step: int, number: int, batch: ClipBatch, share: float | Tensor, overlay: bool
    ) -> Tensor:
        """Forward and backward pass of one batch, which holds ``share`` of the rows of all; that
        share of its figures."""
        stage, _ = self.config.stage_at(step)
        rank = draw_rank(self.accelerator.process_index, number, self.accelerator.num_processes)
        torch.manual_seed(int(generator(self.config.seed, step, rank, LAYERS).integers(2**62)))
        # All processes and passes play the same script (as in SAM 2), so that none waits long for
        # another.
        script = draw_script(
            stage.teaching.user, batch.frames, generator(self.config.seed, step, purpose=SCRIPT)
        )
        losses, answers = self.learner(
            batch, stage, script, generator(self.config.seed, step, rank, CLICKS)
        )
        self.accelerator.backward(losses.total * (share * self.accelerator.num_processes))
        if overlay and answers:
            save_picture(self.out_dir / "overlays" / f"{step + 1:06d}.png", batch, answers)
        return share * pass_figures(batch, losses, answers)

    def _means(self, figures: list[dict[str, float]]) -> dict[str, float]:
        """Means over steps; the parts of the loss, which each process knows its share of, added up
        over processes."""
        means = {name: fmean(figure[name] for figure in figures) for name in figures[0]}
        shared = [name for name in means if name not in ("lr", "norm")]
        local = torch.tensor([means[name] for name in shared], device=self.accelerator.device)
        summed = self.accelerator.reduce(local, "sum").tolist()
        means.update(zip(shared, summed, strict=True))
        return {name: float(f"{value:.6g}") for name, value in means.items()}

    def _due(self, done: int) -> Due:
        """Whether this process takes part in a validation, and in a checkpoint, ``done`` steps
        being done.

        The main process does both, with the help of the others where weights are spread over them.
        """
        sharded, main = is_sharded(self.running.model), self.accelerator.is_main_process
        if not (main or sharded):
            return Due(validation=False, checkpoint=False)
        validation, last = self.config.validation, done == self.config.steps
        due = time.monotonic() - self.last_saved > 60 * self.config.run.checkpoint_minutes
        if sharded:
            # All processes act together, as soon as the clock of any says so.
            asked = torch.tensor(int(due), device=self.accelerator.device)
            due = bool(self.accelerator.reduce(asked, "sum"))
        return Due(
            validation=validation is not None and (done % validation.every == 0 or last),
            checkpoint=last or due,
        )

    def _after(self, done: int, due: Due) -> None:
        """Validation and checkpoint when they are due, ``done`` steps being done."""
        if due.validation:
            self._log({"event": "validation", "step": done, **self.validate()})
        if due.checkpoint:
            main = self.accelerator.is_main_process
            save_checkpoint(self.out_dir, self.config, done, self.running, write=main)
            self.last_saved = time.monotonic()

    def validate(self) -> dict[str, float]:
        """The figures of `validate.Validation`, for the averaged weights."""
        if not self.samples:
            return {}
        model = self._averaged()
        if not self.accelerator.is_main_process:
            return {}
        policy = model.config.memory
        with self.accelerator.autocast():
            return asdict(validate(model, policy, self.samples, self.accelerator.device))

    def _averaged(self) -> SAM2S:
        """A plain copy of the model with the averaged weights (the present ones where none are
        kept), for inference."""
        model = build_model(self.running.model.config)
        if self.config.lora is not None:
            add_adapters(model, self.config.lora)
        model.to(self.accelerator.device).load_state_dict(whole(self.running.model.state_dict()))
        if self.running.average is not None:
            self.running.average.copy_to(model)
        return (model if self.config.lora is None else merged(model)).eval()

    def finish(self) -> Path:
        """Save the trained model, or its mean with the one it started from
        (`TrainConfig.keep_start`), beside its configuration."""
        folder = self.out_dir / "model"
        if self.accelerator.is_main_process or is_sharded(self.running.model):
            model = self._averaged()
        if self.accelerator.is_main_process:
            if self.config.keep_start:
                kept = replace(self.config, model=self.config.keep_from or self.config.model)
                average_weights(model, starting_model(kept), self.config.keep_start)
            save_model(model, folder)
        self.accelerator.end_training()
        return folder

    def _log(self, record: dict[str, Any]) -> None:
        if not self.accelerator.is_main_process:
            return
        with (self.out_dir / LOG).open("a", encoding="utf-8") as log:
            log.write(json_text({"time": round(time.time(), 1), **record}) + "\n")
        if self.config.run.tensorboard and "step" in record:
            numbers = {
                k: v for k, v in record.items() if isinstance(v, int | float) and k != "step"
            }
            self.accelerator.log(numbers, step=record["step"])


@torch.no_grad()
def save_picture(path: Path, batch: ClipBatch, answers: Sequence[Answer]) -> None:
    """Write a PNG, one row a tracked object and one column a frame: the last answer of each frame
    filled red, the true mask outlined green; frames never decoded have no red."""
    final = {answer.frame: answer.decoded.mask_logits for answer in answers}
    height, width = batch.masks.shape[-2:]
    raised = {t: logits_to_source(logits, (height, width)) for t, logits in final.items()}
    rows = []
    for row in range(min(batch.rows, MOST_ROWS)):
        tiles = []
        for frame, images in enumerate(batch.images[int(batch.clip_of_row[row])]):
            # (3, S, S) -> (S, S, 3)
            tile = images.permute(1, 2, 0).cpu().numpy().copy()
            if frame in raised:
                fill_mask(tile, (raised[frame][row] > 0).cpu().numpy(), PREDICTED)
            outline_mask(tile, batch.masks[frame, row].cpu().numpy(), TRUE)
            tiles.append(tile)
        rows.append(tiles)
    if rows:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_grid(path, rows)


def _provenance() -> dict[str, str | None]:
    """Version of the code and of torch; the git revision where the package lies in a working
    copy."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            command, cwd=here, capture_output=True, text=True, check=True, timeout=10
        )
        revision = done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        revision = None
    return {"git": revision, "torch": torch.__version__}
