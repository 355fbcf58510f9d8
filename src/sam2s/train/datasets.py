"""The videos of a run: the user's masklet folders, and synthetic scenes made on first use."""

from __future__ import annotations

import os
from pathlib import Path

from sam2s.train.config import SyntheticSet, TrainConfig


def training_roots(config: TrainConfig, folder: Path) -> list[tuple[Path, float]]:
    """Masklet folders and the weights of their videos; synthetic sets are made under ``folder`` if they are missing."""
    made = [(root, 1.0) for synthetic in config.synthetic for root in ensure(synthetic, folder)]
    return made + [(Path(given.root), given.weight) for given in config.folders]


def ensure(synthetic: SyntheticSet, folder: Path) -> list[Path]:
    """One masklet folder for each procedure of the set, made now unless an earlier run finished it."""
    from sam2s.data.synthetic import synthesize  # needs OpenCV, which a run on folders alone does without

    roots = []
    for number, procedure in enumerate(synthetic.procedures):
        seed = synthetic.seed + number
        name = f"{synthetic.split}-{procedure}-{synthetic.videos}x{synthetic.frames}x{synthetic.size}-{seed}"
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
