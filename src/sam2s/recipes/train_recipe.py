"""From a recipe's name to a trained model, reporting on the way what a user wants to know; behind
``sam2s train``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sam2s.benchmark.protocol import PromptKind
from sam2s.benchmark.run_benchmark import Options, open_model, run_benchmark
from sam2s.benchmark.scoreboard import merge
from sam2s.devices import describe, pick_device, trains_in_bf16
from sam2s.errors import InputError
from sam2s.metrics import Score
from sam2s.recipes import recipe
from sam2s.recipes.overrides import override
from sam2s.train.checkpoint import CHECKPOINT
from sam2s.train.config import TrainConfig
from sam2s.train.run import Listener, run_training
from sam2s.weights.save import WEIGHTS_FILE

PROMPT: PromptKind = "3-click"
"""How held-out videos are judged, before and after."""


@dataclass(frozen=True)
class TrainingRequest:
    """A run as a user asks for it: ``data`` and ``model`` as in `sam2s.recipes.recipe`,
    ``settings`` as in `sam2s.recipes.overrides.override`, the rest as in
    `sam2s.train.run.run_training`. ``scenes``: where synthetic scenes are kept; ``device``: as in
    `sam2s.devices.pick_device`, ``auto`` for what the recipe says."""

    recipe: str
    out: Path
    data: tuple[str, ...] = ()
    model: str | None = None
    settings: tuple[str, ...] = ()
    scenes: Path | None = None
    device: str = "auto"
    resume: bool = False
    dry_run: bool = False


def train_recipe(request: TrainingRequest, tell: Callable[[str], None] = print) -> Path:
    """Train, and give the folder of the trained model. Held-out videos are judged before and after.

    A recipe of several parts has a folder for each below ``out``, and its model in the last one;
    parts that are done are not trained again. Several processes may call this together (torchrun);
    the first of them speaks and judges.
    """
    parts = recipe(request.recipe, request.data, request.model)
    parts = _with_settings(parts, request.settings)
    if request.device != "auto":
        parts = tuple(replace(part, run=replace(part.run, device=request.device)) for part in parts)
    if len(parts) == 1:
        _check_kept(parts[0], request.recipe)
        return _one(parts[0], request, tell)
    folders = [request.out / f"{number}_{part.name}" for number, part in enumerate(parts, start=1)]
    if not request.resume and any(folder.exists() for folder in folders):
        raise InputError(f"{request.out}: holds a run; resume it or choose another folder")
    model = parts[0].model
    known = {part.name: str(folder / "model") for part, folder in zip(parts, folders, strict=True)}
    for part, folder in zip(parts, folders, strict=True):
        if not (folder / "model" / WEIGHTS_FILE).is_file():
            resume = (folder / CHECKPOINT).is_file()
            scenes = request.scenes or request.out / "data"
            own = replace(request, out=folder, resume=resume, scenes=scenes)
            kept = part.keep_from and known.get(part.keep_from, part.keep_from)
            _one(replace(part, model=model, keep_from=kept), own, tell)
            if request.dry_run:
                return folder / "model"
        model = str(folder / "model")
    return Path(model)


def _check_kept(part: TrainConfig, name: str) -> None:
    """InputError for a part alone that keeps weights of another one, which nobody has named."""
    siblings = [other.name for other in recipe(name.partition(":")[0])] if ":" in name else []
    if part.keep_from in siblings:
        raise InputError(
            f"recipe {name}: keeps weights of the part {part.keep_from}; give them with --set"
            " keep_from=FOLDER, or none with --set keep_start=0 --set keep_from=none"
        )


def _with_settings(
    parts: tuple[TrainConfig, ...], settings: Sequence[str]
) -> tuple[TrainConfig, ...]:
    """``settings`` (``path=value``); of a recipe of several parts each begins with the name of one,
    or with ``*`` for all."""
    if len(parts) == 1:
        return (override(parts[0], settings),)
    names = ("*", *(part.name for part in parts))
    for setting in settings:
        name, _, rest = setting.partition(".")
        if name not in names or not rest:
            raise InputError(
                f"--set {setting}: this recipe has several parts; begin with {', '.join(names)},"
                f" such as {names[-1]}.seed=3"
            )
        parts = tuple(override(p, [rest]) if name in ("*", p.name) else p for p in parts)
    return parts


def _one(config: TrainConfig, request: TrainingRequest, tell: Callable[[str], None]) -> Path:
    """One part, by `run_training`."""
    names = [name for folder in config.folders for name in folder.held_out] if request.data else []

    def begin() -> None:
        device = pick_device(config.run.device)
        bf16 = trains_in_bf16(config.run.precision, device)
        tell(f"running on {describe(device, bf16=bf16)}")
        if names and not request.resume:
            tell(f"held out, to judge the result: {', '.join(names)}")
            tell(f"before: {score_text(judge(config, config.model))}")

    folder = run_training(
        config,
        request.out,
        resume=request.resume,
        data_dir=request.scenes,
        listener=Listener(tell, ready=begin),
        dry_run=request.dry_run,
    )
    if names and not request.dry_run and os.environ.get("RANK", "0") == "0":
        tell(f"after:  {score_text(judge(config, str(folder)))}")
    return folder


def judge(config: TrainConfig, model: str) -> Score | None:
    """The mean over the objects of the held-out videos, prompted by three clicks and tracked to the
    end."""
    size = config.stages[-1].clips.size
    evaluated = open_model(model, device=config.run.device, image_size=size)
    boards = []
    for folder in config.folders:
        if folder.held_out:
            options = Options(prompt=PROMPT, videos=folder.held_out, progress=True)
            boards.append(run_benchmark(folder.root, evaluated, options).board())
    return merge(boards).mean_over_objects


def score_text(score: Score | None) -> str:
    """J&F and its parts in percent."""
    if score is None:
        return "nothing to score"
    return (
        f"J&F {100 * score.jf:.1f} (J {100 * score.j:.1f}, F {100 * score.f:.1f}) on held-out"
        f" videos, {PROMPT}"
    )
