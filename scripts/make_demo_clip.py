"""The clip that ``sam2s demo`` tracks: drawn by the synthetic generator, encoded small, its true
masks beside it. Needs sam2s[synth].

    python scripts/make_demo_clip.py [FOLDER]

FOLDER is by default the package's own, ``src/sam2s/commands/demo_clip``.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from sam2s.commands.demo_footage import CLIP, CLIP_SEED, FPS, Footage, drawn_footage
from sam2s.files import write_json
from sam2s.masklets.masks import encode_rle

SMALL = {"preset": "veryslow", "crf": "27"}
"""libx264's options: a third of the size of what ``sam2s`` writes in passing."""


def main(folder: Path) -> None:
    """Draw, encode, and say how large it is."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        footage = drawn_footage(CLIP_SEED, Path(scratch) / "scene.mp4")
    _encode(folder / "scene.mp4", footage)
    truth = {
        "start": footage.start,
        "names": {str(i): name for i, name in footage.names.items()},
        "masks": {
            str(i): [encode_rle(np.ascontiguousarray(every[i])) for every in footage.masks]
            for i in footage.names
        },
    }
    write_json(folder / "truth.json", truth)
    for path in sorted(folder.iterdir()):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _encode(path: Path, footage: Footage) -> None:
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS), options=SMALL)
        stream.height, stream.width = footage.images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in footage.images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CLIP)
