"""From a recipe's name to a trained model, with what a user wants to know told on the way; behind
``sam2s train``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sam2s.benchmark.protocol import PromptKind
from sam2s.benchmark.run import Options, open_contestant, run_benchmark
from sam2s.benchmark.scoreboard import merge
from sam2s.metrics import Score
from sam2s.recipes import recipe
from sam2s.train.config import TrainConfig
from sam2s.train.loop import run_training
from sam2s.train.overrides import override

PROMPT: PromptKind = "3-click"
"""How held-out videos are judged, before and after."""


@dataclass(frozen=True)
class Order:
    """A run as a user asks for it: ``data`` and ``model`` as in `sam2s.recipes.recipe`,
    ``settings`` as in `sam2s.train.overrides.override`, the rest as in
    `sam2s.train.loop.run_training`. ``scenes``: where synthetic scenes are kept."""

    recipe: str
    out: Path
    data: tuple[str, ...] = ()
    model: str | None = None
    settings: tuple[str, ...] = ()
    scenes: Path | None = None
    resume: bool = False
    dry_run: bool = False


def carry_out(order: Order, tell: Callable[[str], None] = print) -> Path:
    """Train, and give the folder of the trained model. Held-out videos are judged before and after.

    Several processes may call this together (torchrun); the first of them speaks and judges.
    """
    config = override(recipe(order.recipe, order.data, order.model), order.settings)
    names = [name for folder in config.folders for name in folder.held_out]

    def judge_first() -> None:
        if names and not order.resume:
            tell(f"held out, to judge the result: {', '.join(names)}")
            tell(f"before: {score_text(judge(config, config.model))}")

    folder = run_training(
        config,
        order.out,
        resume=order.resume,
        data_dir=order.scenes,
        tell=tell,
        dry_run=order.dry_run,
        ready=judge_first,
    )
    if names and not order.dry_run and os.environ.get("RANK", "0") == "0":
        tell(f"after:  {score_text(judge(config, str(folder)))}")
    return folder


def judge(config: TrainConfig, model: str) -> Score | None:
    """The mean over the objects of the held-out videos, prompted by three clicks and tracked to the
    end."""
    contestant = open_contestant(model, image_size=config.stages[-1].size)
    boards = []
    for folder in config.folders:
        if folder.held_out:
            options = Options(prompt=PROMPT, videos=folder.held_out, progress=sys.stderr.isatty())
            boards.append(run_benchmark(folder.root, contestant, options).board())
    return merge(boards).mean_over_objects


def score_text(score: Score | None) -> str:
    """J&F and its parts in percent."""
    if score is None:
        return "nothing to score"
    return (
        f"J&F {100 * score.jf:.1f} (J {100 * score.j:.1f}, F {100 * score.f:.1f}) on held-out"
        f" videos, {PROMPT}"
    )
