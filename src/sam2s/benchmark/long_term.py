"""The long-term suite: 20 synthetic videos of 600 frames, look-alikes, two absences an object of up
to 300 frames.

Procedures come in turn, nephrectomy, which nothing is trained on, among them. Seeds are fixed, and
no other set of the project shares them. The videos are made once into the folder that is to be
scored; they are the same bytes on the same machine and OpenCV build, and nearly the same elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sam2s.errors import InputError
from sam2s.masklets.catalogue import CATALOGUE, read_catalogue
from sam2s.masklets.masklets import MaskletFolder, open_masklets
from sam2s.synthetic import PROCEDURES, SceneSpec, long_term_spec, write_videos
from sam2s.synthetic.write import video_seed

SEED = 770_003
"""The scripts' other test sets have 770,001 and 770,002; training and validation sets have seeds of
other ranges."""


@dataclass(frozen=True, slots=True)
class LongTerm:
    """How the suite is made; anything but the defaults is another suite."""

    videos: int = 20
    seed: int = SEED

    def specs(self) -> list[SceneSpec]:
        """The orders of the videos, in their order."""
        procedures = tuple(PROCEDURES)
        return [
            long_term_spec(video_seed(self.seed, i), procedures[i % len(procedures)])
            for i in range(self.videos)
        ]


SUITE = LongTerm()


def open_long_term(root: Path, progress: bool = True) -> MaskletFolder:
    """The suite's folder; what is missing of it is made now. Raises InputError when ``root`` holds
    other videos, or OpenCV is not installed."""
    specs = SUITE.specs()
    names = [f"{spec.procedure}_{i:04d}" for i, spec in enumerate(specs)]
    others = sorted(set(read_catalogue(root) or ()) - set(names))
    foreign = root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir())
    if others or (foreign and not (root / CATALOGUE).is_file()):
        held = f"video '{others[0]}'" if others else "other files"
        raise InputError(
            f"{root}: holds {held}, which is no part of the long-term suite; give it a folder of"
            " its own"
        )
    write_videos(root, specs, split="test", progress=progress)
    folder = open_masklets(root)
    for name, spec in zip(names, specs, strict=True):
        if len(folder.videos[name]) != spec.frames:
            raise InputError(
                f"{root}: video '{name}' has {len(folder.videos[name])} frames, not {spec.frames};"
                " make anew"
            )
    return folder
