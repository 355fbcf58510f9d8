"""The videos of a run: the user's masklet folders, and synthetic scenes made on first use."""

from __future__ import annotations

import os
from pathlib import Path

from sam2s.train.config import FolderSet, SyntheticSet, TrainConfig


def training_folders(config: TrainConfig, folder: Path) -> list[FolderSet]:
    """All masklet folders of the run; synthetic sets are made under ``folder`` if they are
    missing."""
    made = [
        FolderSet(str(root)) for synthetic in config.synthetic for root in ensure(synthetic, folder)
    ]
    return made + list(config.folders)


def ensure(synthetic: SyntheticSet, folder: Path) -> list[Path]:
    """One masklet folder for each procedure of the set, made now unless an earlier run finished
    it."""
    from sam2s.synthetic import (
        synthesize,  # needs OpenCV, which a run on folders alone does without
    )

    roots = []
    for number, procedure in enumerate(synthetic.procedures):
        seed = synthetic.seed + number
        size = f"{synthetic.videos}x{synthetic.frames}x{synthetic.size}"
        name = f"{synthetic.split}-{procedure}-{size}-{seed}"
        root = folder / name
        if not root.is_dir():
            partial = root.with_name(root.name + ".part")
            synthesize(
                partial,
                videos=synthetic.videos,
                frames=synthetic.frames,
                size=synthetic.size,
                seed=seed,
                procedure=procedure,
                split=synthetic.split,
                workers=os.cpu_count() or 1,
            )
            os.replace(partial, root)
        roots.append(root)
    return roots
