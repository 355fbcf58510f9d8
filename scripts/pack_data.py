"""Training data small enough to travel: python scripts/pack_data.py DATA... --out PACK.tar.gz
[--short 288] [--quality 85] [--leave-out VIDEO ...]

Every masklet folder of ``DATA`` goes into the archive under its own name, with the videos that may
be trained on alone (split ``train``, or none, and not left out), pictures of at most ``--short``
pixels on their shorter side, encoded again as JPEG; masks are scaled likewise. Unpack with ``tar
xzf``; Pillow and NumPy read it.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from sam2s.masklets.masklets import MaskletVideo, MaskletWriter, open_masklets

TRAIN = ("train", None)
"""Splits that may be trained on."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--short", type=int, default=288, help="pixels")
    parser.add_argument("--quality", type=int, default=85)
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="VIDEO")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, tarfile.open(given.out, "w:gz") as archive:
        for root in given.data:
            small = Path(made) / root.name
            frames = pack(root, small, given)
            archive.add(small, arcname=root.name)
            print(f"{root.name}: {frames} frames")
    print(f"{given.out}: {given.out.stat().st_size / 2**20:.1f} MiB")


def pack(root: Path, small: Path, given: argparse.Namespace) -> int:
    """Write the training videos of ``root`` into ``small``; the number of their frames."""
    frames = 0
    with MaskletWriter(small, quality=given.quality) as writer:
        for video in open_masklets(root).videos.values():
            if video.info.split in TRAIN and video.name not in given.leave_out:
                writer.add_video(video.name, video.info)
                frames += _write(video, writer, given.short)
    return frames


def _write(video: MaskletVideo, writer: MaskletWriter, short: int) -> int:
    height, width = video.size
    factor = min(1.0, short / min(height, width))
    size = (round(factor * width), round(factor * height))
    labelled = {object_id: set(video.annotated(object_id)) for object_id in video.info.objects}
    for index, name in enumerate(video.frame_names):
        masks = {
            object_id: _scaled_mask(video.mask(object_id, index), size)
            for object_id, frames in labelled.items()
            if index in frames
        }
        picture = Image.fromarray(video.image(index))
        if factor < 1:
            picture = picture.resize(size, Image.Resampling.BOX)
        writer.write(video.name, name, np.asarray(picture), masks)
    return len(video)


def _scaled_mask(mask: np.ndarray | None, size: tuple[int, int]) -> np.ndarray:
    """``mask`` (H, W) bool at ``size`` (width, height): pixels that it covers by half."""
    assert mask is not None, "the frame is annotated"
    if mask.shape[::-1] == size:
        return mask
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(grey.resize(size, Image.Resampling.BOX)) >= 128


if __name__ == "__main__":
    main()
