"""A look at stills made into clips: python scripts/stills_sheet.py DATA OUT.png [--also DATA]...
[--rows N]

``DATA``: a masklet folder, of which every labelled frame serves as a still and as a source of
cut-outs; ``--also``: more folders for cut-outs. One row per clip: its frames as a training step
gets them, before augmentation, with the masks of the tracked objects filled. Dots in an
object's colour mark frames on which it is absent.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sam2s.clips.augment import AugmentConfig
from sam2s.clips.batch import ClipBatch
from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.clips.stills.animate import StillConfig
from sam2s.export.overlay import colour_of, fill_mask, save_grid
from sam2s.train.config import Clips, FolderSet, Schedule, Stage, TrainConfig
from sam2s.train.examples import Examples
from sam2s.train.video_pool import open_pool

NOTHING = AugmentConfig(
    hflip=0, affine=0, brightness=0, contrast=0, saturation=0,
    frame_brightness=0, frame_contrast=0, frame_saturation=0, gray=0,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--also", type=Path, action="append", default=[])
    parser.add_argument("--split", help="use only videos of this split")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument(
        "--diverse", type=float, default=0.25, help="share of clips drawn as DiveMem does"
    )
    parser.add_argument(
        "--pasted", type=int, nargs=2, default=(0, 2), help="least and most cut-outs of a clip"
    )
    parser.add_argument(
        "--growths", type=int, nargs=2, default=(0, 0), help="least and most growths of a clip"
    )
    parser.add_argument("--plain", action="store_true", help="leave the masks away")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    stage = Stage(
        name="stills",
        schedule=Schedule(steps=given.rows, lr=0.0, lr_end=0.0),
        clips=Clips(
            size=given.size,
            batch=1,
            sampler=ConsecutiveSampler(frames=given.frames, max_stride=5),
            diverse=given.diverse,
            diverse_sampler=DiverseSampler(recent=given.frames - 3),
            augment=NOTHING,
            stills=1.0,
            still=StillConfig(pasted=tuple(given.pasted), growths=tuple(given.growths)),
        ),
    )
    data = FolderSet(str(given.data), split=given.split, stills=True)
    folders = (data, *(FolderSet(str(root)) for root in given.also))
    config = TrainConfig("sheet", "nano", (stage,), folders=folders, seed=given.seed)
    examples = Examples(open_pool(folders), config)
    sheet([examples[k] for k in range(given.rows)], given.out, masks=not given.plain)


def sheet(batches: Sequence[ClipBatch], out: Path, *, masks: bool = True) -> None:
    """Write a picture with one row per batch, of its first clip."""
    rows = [[_tile(batch, t, masks) for t in range(batch.frames)] for batch in batches]
    save_grid(out, rows)


def _tile(batch: ClipBatch, frame: int, masks: bool) -> np.ndarray:
    """One frame (S, S, 3) uint8 with its masks and its number."""
    # (3, S, S) -> (S, S, 3)
    canvas = batch.images[0, frame].permute(1, 2, 0).numpy().copy()
    truths = batch.masks[frame].numpy()
    for object_id, mask in enumerate(truths if masks else (), start=1):
        fill_mask(canvas, mask, colour_of(object_id))
    tile = Image.fromarray(canvas)
    pen = ImageDraw.Draw(tile)
    pen.text(
        (3, 2),
        str(batch.clips[0].frames[frame]),
        fill=(255, 255, 255),
        stroke_width=1,
        stroke_fill=0,
    )
    for k in np.flatnonzero(~truths.any(axis=(1, 2))):
        pen.ellipse((30 + 10 * k, 4, 37 + 10 * k, 11), fill=colour_of(int(k) + 1))
    return np.asarray(tile)


if __name__ == "__main__":
    main()
