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
    # These need OpenCV, which a run on folders alone does without.
    from sam2s.synthetic.spec import random_spec, twins_spec
    from sam2s.synthetic.write import video_seed, write_videos

    roots = []
    for number, procedure in enumerate(synthetic.procedures):
        seed = synthetic.seed + number
        size = f"{synthetic.videos}x{synthetic.frames}x{synthetic.size}"
        kind = "-twins" if synthetic.twins else ""
        name = f"{synthetic.split}-{procedure}-{size}-{seed}{kind}"
        root = folder / name
        if not root.is_dir():
            partial = root.with_name(root.name + ".part")
            shape = (synthetic.size, synthetic.size)
            make = twins_spec if synthetic.twins else random_spec
            specs = [
                make(video_seed(seed, k), procedure, synthetic.frames, shape)
                for k in range(synthetic.videos)
            ]
            write_videos(partial, specs, split=synthetic.split, workers=os.cpu_count() or 1)
            os.replace(partial, root)
        roots.append(root)
    return roots
