"""What the demo tracks: a short synthetic operation that comes with the package, or a new one.

The packaged clip is made by ``scripts/make_demo_clip.py`` with the very functions here. Its masks
are exact for the scene as it was drawn; the video is that scene, encoded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from sam2s.errors import InputError
from sam2s.export.video_file import write_video
from sam2s.files import replacing
from sam2s.masklets.masks import Rle, decode_rle
from sam2s.media.frames import open_frames
from sam2s.progress import progress_bar
from sam2s.synthetic import HELD_OUT, SceneSpec, SurgicalScene
from sam2s.typed_json import Ids, read_json

CLIP = Path(__file__).with_name("demo_clip")
"""``scene.mp4`` and ``truth.json``."""
CLIP_SEED = 7
"""Seed of the scene in the packaged clip."""
FRAMES, SIZE, FPS = 150, (480, 640), 25.0
"""The video: number of frames, (height, width) in pixels, frames per second."""
OBJECTS = 2
SMALLEST = 0.01
"""An instrument is clicked where it fills at least this share of the picture."""

Masks = Mapping[int, np.ndarray]


@dataclass(frozen=True, slots=True)
class Footage:
    """A scene. ``images``: (H, W, 3) uint8; ``masks``: {id: (H, W) bool} per frame; ``names``: {id:
    class}; ``start``: the first frame that shows every object well."""

    images: Sequence[np.ndarray]
    masks: Sequence[Masks]
    names: Mapping[int, str]
    start: int


@dataclass(frozen=True, slots=True)
class ClipTruth:
    """``truth.json``: what is to be known of the packaged clip. ``masks`` {id: its mask on every
    frame}."""

    start: int
    names: Mapping[Annotated[int, Ids("object ids")], str]
    masks: Mapping[Annotated[int, Ids("object ids")], tuple[Rle, ...]]


def packaged_footage(video: Path) -> Footage:
    """The clip that comes with the package; its video is copied to ``video``."""
    truth = read_json(CLIP / "truth.json", ClipTruth)
    with replacing(video) as hidden:
        hidden.write_bytes((CLIP / "scene.mp4").read_bytes())
    with open_frames(video) as source:
        images = [frame.image for frame in source]
    masks = [
        {i: decode_rle(every[k]) for i, every in truth.masks.items()} for k in range(len(images))
    ]
    return Footage(images, masks, truth.names, truth.start)


def drawn_footage(seed: int, video: Path) -> Footage:
    """A new scene, its two best seen instruments as objects 1 and 2; its video is written to
    ``video``. ``InputError`` without OpenCV, and for a scene that never shows two instruments."""
    scene = SurgicalScene(
        SceneSpec(seed, HELD_OUT, FRAMES, SIZE, FPS, tools=(OBJECTS, 3), cuts=0.0)
    )
    names = {
        i: info.class_name or "instrument"
        for i, info in scene.objects.items()
        if info.kind == "instrument"
    }
    images, masks = [], []
    with progress_bar(FRAMES, "film") as bar:
        for image, every in scene.render():
            images.append(image)
            masks.append({i: every[i] for i in names})
            bar.update()
    start, chosen = _choose(masks)
    kept = [{new: every[old] for new, old in chosen.items()} for every in masks]
    write_video(video, images, FPS)
    return Footage(images, kept, {new: names[old] for new, old in chosen.items()}, start)


def _choose(masks: Sequence[Masks]) -> tuple[int, dict[int, int]]:
    """The first frame that shows enough instruments well, and {1, 2: the largest ones on it}."""
    for index, every in enumerate(masks):
        shares = {i: float(mask.mean()) for i, mask in every.items() if mask.mean() >= SMALLEST}
        if len(shares) >= OBJECTS:
            largest = sorted(shares, key=shares.__getitem__, reverse=True)[:OBJECTS]
            return index, dict(enumerate(largest, start=1))
    raise InputError(
        f"--seed: this scene never shows {OBJECTS} instruments at once; try another number"
    )
