"""What ``sam2s train`` can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg


@dataclass(frozen=True, slots=True)
class Train:
    """Train a model by a recipe: finetune (your own annotated folder), sam2s_base_plus (the
    paper's), nano, ...

    Example: sam2s train finetune --data my_videos --model nano --out runs/mine

    Data are checked, and time and memory are estimated, before the first step. Several GPUs:
    accelerate launch scripts/train_recipe.py with the same options.
    """

    recipe: Positional[str]
    """Name of the recipe, such as finetune; nano:tissue is one part of a recipe of several."""
    out: Path
    """Folder for checkpoints, the log and the final weights (in OUT/model)."""
    data: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FOLDER")] = ()
    """A folder of annotated videos or images, for finetune and sam2s_base_plus; give it again for
    more folders."""
    model: str | None = None
    """Weights to start from, for the same recipes: nano, a Hugging Face id, a folder or a file."""
    set: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="PATH=VALUE")] = ()
    """Replace one value of the configuration: stages.0.schedule.steps=10, optim.clip=0.5, seed=3,
    stages.*.schedule.lr=2e-5. In a recipe of several parts begin with the part's name, or *."""
    scenes: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder for the synthetic videos of the recipe, made once; by default OUT/data."""
    device: str = "auto"
    """auto (the first GPU, else the CPU), cpu, cuda, cuda:1, mps, ..."""
    resume: bool = False
    """Go on from the checkpoint in OUT, or with the first part there that is not done."""
    dry_run: bool = False
    """Stop after the checks and the estimate."""
