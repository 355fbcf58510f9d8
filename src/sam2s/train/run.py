"""A training run on Hugging Face accelerate, from a configuration to a saved model: one process or
many, any device. On a CPU a run resumes to the bit; a GPU adds numbers in no fixed order."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import patch_environment

from sam2s.devices import describe, memory_errors, pick_device, trains_in_bf16
from sam2s.errors import InputError
from sam2s.files import lock_folder, replace_text
from sam2s.train.checkpoint import CHECKPOINT, Running, load_checkpoint
from sam2s.train.checks import check_config, check_data, estimate
from sam2s.train.config import TrainConfig, to_json
from sam2s.train.dense import build_dense_head
from sam2s.train.initial_weights import starting_model
from sam2s.train.learner import ClipLearner, recompute_blocks
from sam2s.train.optim import MovingAverage, build_optimizer, check_frozen
from sam2s.train.semantic import check_classes
from sam2s.train.trainer import LOG, Trainer
from sam2s.train.validate import load_validation
from sam2s.train.video_pool import VideoPool, ensure, open_pool, training_folders, with_steps
from sam2s.typed_json import parse_json


@dataclass(frozen=True, slots=True)
class LogLine:
    """What is read of a line of the log. ``step``: steps done when it was written."""

    step: int | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a run reports to. ``tell`` (``print``, say) receives what was found in the data, and an
    estimate of time and memory from some passes over real batches, before the first step; without
    it neither is looked for. ``ready`` is called then. Both by the main process alone."""

    tell: Callable[[str], None] | None = None
    ready: Callable[[], None] | None = None


NOBODY = Listener()


def run_training(
    config: TrainConfig,
    out_dir: Path | str,
    *,
    resume: bool = False,
    data_dir: Path | str | None = None,
    listener: Listener = NOBODY,
    dry_run: bool = False,
    pool: VideoPool | None = None,
) -> Path:
    """Carry out ``config`` and return the folder of the trained model, ``out_dir/model``.

    ``out_dir`` receives ``config.json``, ``log.jsonl``, ``checkpoint.pt`` and sample overlays.
    Synthetic scenes are made once under ``data_dir`` (default ``out_dir/data``). ``resume`` goes on
    from the checkpoint; without it a folder that holds one is refused. ``dry_run`` stops before the
    first step, once data and costs are reported (printed, where ``listener`` has no ``tell``).
    ``pool``: the run's videos where they are open already, so that several runs on the same data
    read the masks once. Raises InputError for unusable data or configuration, `Diverged` for NaN.
    """
    out_dir = Path(out_dir)
    scenes = Path(data_dir) if data_dir is not None else out_dir / "data"
    main = os.environ.get("RANK", "0") == "0"
    with lock_folder(out_dir, "training") if main and not dry_run else nullcontext():
        if not resume and (out_dir / CHECKPOINT).exists():
            raise InputError(
                f"{out_dir}: holds a checkpoint; resume that run or choose another folder"
            )
        trainer = prepare(config, out_dir, scenes, pool)
        if not resume and (listener.tell is not None or dry_run):
            with _memory_errors(trainer.accelerator):
                _report(trainer, listener.tell or print)
        if dry_run:
            return out_dir / "model"
        if listener.ready is not None and trainer.accelerator.is_main_process:
            listener.ready()
        first = load_checkpoint(out_dir, trainer.config, trainer.running) if resume else 0
        if trainer.accelerator.is_main_process:
            replace_text(out_dir / "config.json", to_json(trainer.config) + "\n")
            shorten_log(out_dir / LOG, first)
        with _memory_errors(trainer.accelerator):
            trainer.fit(first)
            return trainer.finish()


def _memory_errors(accelerator: Accelerator) -> AbstractContextManager[None]:
    where = describe(accelerator.device, bf16=accelerator.mixed_precision == "bf16")
    return memory_errors(
        f"training on {where}",
        "use --set run.recompute=true, --set run.precision=bf16 or --device cpu (with --resume"
        " where there is a checkpoint), or start anew with smaller --set stages.*.clips.batch or"
        " stages.*.clips.size",
    )


def shorten_log(path: Path, first: int) -> None:
    """Drop the lines after step ``first``, from which a run goes on: it will write them again. Of a
    run that starts anew, what an earlier one left is kept beside it (``.before``)."""
    if not path.exists():
        return
    if first == 0:
        os.replace(path, path.with_name(f"{path.name}.before"))
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        try:
            step = parse_json(line, LogLine, str(path)).step
        except InputError:  # the last line was cut off with the run
            continue
        if step is None or step <= first:
            kept.append(line)
    replace_text(path, "".join(kept))


def prepare(
    config: TrainConfig, out_dir: Path, data_dir: Path, pool: VideoPool | None = None
) -> Trainer:
    """Everything built and placed, nothing trained yet; `Trainer.config` has all its steps filled
    in."""
    check_config(config)
    accelerator = _accelerator(config, out_dir)
    with accelerator.main_process_first():
        folders = training_folders(config, data_dir)
        held_out = [] if config.validation is None else ensure(config.validation.data, data_dir)
    samples = [] if config.validation is None else load_validation(held_out, config.validation)
    pool = pool or open_pool(
        folders, progress=accelerator.is_main_process, keep_gb=config.run.keep_gb
    )
    config = with_steps(config, pool.indices, accelerator.num_processes)
    model = starting_model(config)
    check_frozen(model, [prefix for stage in config.stages for prefix in stage.teaching.frozen])
    if model.semantic_head is not None:
        check_classes(pool.videos, model.semantic_head.classes)
    if config.run.recompute:
        recompute_blocks(model)
    frozen = frozenset(
        name for name, parameter in model.named_parameters() if not parameter.requires_grad
    )
    dense_head = build_dense_head(model) if config.dense else None
    learner = ClipLearner(model, config.memory, dense_head)
    learner, optimizer = accelerator.prepare(
        learner, build_optimizer(model, config.optim, dense_head)
    )
    average = (
        MovingAverage(model, config.optim.ema, config.optim.ema_warmup)
        if config.optim.ema
        else None
    )
    running = Running(model, optimizer, average, frozen, dense_head)
    return Trainer(config, out_dir, accelerator, learner, running, pool, samples)


def _accelerator(config: TrainConfig, out_dir: Path) -> Accelerator:
    """Devices and processes as torchrun or ``accelerate launch`` set them up, or the one device
    that the configuration names. bf16 needs hardware that computes it; other cards get fp32."""
    device = pick_device(config.run.device)
    bf16 = trains_in_bf16(config.run.precision, device)
    named = {} if config.run.device == "auto" else {"accelerate_torch_device": str(device)}
    with patch_environment(**named):
        accelerator = Accelerator(
            # or processes under torchrun would not find each other
            cpu=device.type == "cpu",
            mixed_precision="bf16" if bf16 else "no",
            log_with="tensorboard" if config.run.tensorboard else None,
            project_dir=out_dir,
            # What takes part depends on the batch: no memory in single pictures, no prompt encoder
            # after a given mask.
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
    if config.run.tensorboard:
        accelerator.init_trackers("tensorboard")
    return accelerator


def _report(trainer: Trainer, tell: Callable[[str], None]) -> None:
    """What is in the data and what the run will cost, reported by the main process."""
    findings = check_data(trainer.pool, trainer.config)
    costs = estimate(trainer)
    if trainer.accelerator.is_main_process:
        for line in (*findings, str(costs)):
            tell(line)
