"""The numbers of a step for the log. They stay on the device until somebody needs them: to ask for
them is to wait for every kernel before them, and Python would fall behind the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from sam2s.clips.batch import ClipBatch
from sam2s.errors import Sam2sError
from sam2s.train.learner import mean_jaccard
from sam2s.train.losses import Losses
from sam2s.train.unroll import Answer

NAMES = ("answers", "jaccard", *(spec.name for spec in fields(Losses)))
"""Of what a pass adds to a step, in the order of `pass_figures`."""
TOTAL = NAMES.index("total")


class Diverged(Sam2sError):
    """A loss or gradient became NaN or infinite; the message names the clips of the offending
    batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """What one step gave, unread. ``passes`` (P, len(NAMES)): what each pass adds; ``norm``: of the
    gradient, a scalar tensor; ``clips``: their names, pass by pass; ``rows``: of this process."""

    step: int
    passes: Tensor
    clips: tuple[str, ...]
    rows: int
    lr: float = 0.0
    norm: Tensor | None = None


@torch.no_grad()
def pass_figures(batch: ClipBatch, losses: Losses, answers: Sequence[Answer]) -> Tensor:
    """(len(NAMES),) on the device. Losses are sums over answers; the log has means over them (a
    stage for the encoder alone has none)."""
    count = max(1, len(answers))
    terms = torch.stack([term.detach() for term in losses.terms().values()]) / count
    answered = torch.full_like(terms[:1], len(answers))
    return torch.cat([answered, mean_jaccard(batch, answers)[None].to(terms.dtype), terms])


def named_clips(batch: ClipBatch) -> str:
    """The clips of a batch in words."""
    return "; ".join(str(clip) for clip in batch.clips)


def read(figures: Sequence[Figures]) -> list[dict[str, float]]:
    """The numbers of several steps by their names, in one copy to the host; `Diverged` for the
    first one of which a number is none."""
    if not figures:
        return []
    device = figures[0].passes.device
    norms = torch.stack(
        [torch.zeros((), device=device) if f.norm is None else f.norm for f in figures]
    )
    parts = [norms.float(), *(f.passes.float().flatten() for f in figures)]
    numbers = torch.cat(parts).tolist()
    at, found = len(figures), []
    for one, norm in zip(figures, numbers[: len(figures)], strict=True):
        rows = [numbers[at + k * len(NAMES) :][: len(NAMES)] for k in range(len(one.clips))]
        at += len(rows) * len(NAMES)
        for row, clips in zip(rows, one.clips, strict=True):
            _check(one.step, "loss", row[TOTAL], clips)
        _check(one.step, "gradient", norm, "; ".join(one.clips))
        sums = dict(zip(NAMES, map(sum, zip(*rows, strict=True)), strict=True))
        found.append({"lr": one.lr, "norm": norm, **sums, "rows": float(one.rows)})
    return found


def _check(step: int, what: str, value: float, clips: str) -> None:
    if not math.isfinite(value):
        raise Diverged(
            f"step {step + 1}: the {what} is {value}, with the clips {clips};"
            " look at their pictures and masks, lower the learning rate, or train in fp32,"
            " then resume from the last checkpoint"
        )
