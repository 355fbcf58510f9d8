"""The same picture, or the same recording, in two splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sam2s.curation.check_video import Finding
from sam2s.masklets.masklets import MaskletVideo
from sam2s.masklets.provenance import NOWHERE, VideoOrigin

SIDE = 16
"""Side of the thumbnails that decide, in pixels."""
FLAT = 6.0
"""Grey levels of standard deviation under which a picture shows nothing that could be
recognised."""
CLOSE = 6.0
"""Mean difference of two thumbnails, in grey levels, up to which they are one picture."""


@dataclass(frozen=True, slots=True)
class _Thumbnail:
    video: str
    frame: str
    split: str
    thumb: np.ndarray


class LeakCheck:
    """Collects a fingerprint of every frame; pairs are looked for at the end.

    The perceptual hash is the sign of the differences between neighbours of a 9 x 8 grey thumbnail
    (64 bits). Two frames are compared when one of its four 16-bit bands is equal, which finds every
    pair within three bits.
    """

    def __init__(self) -> None:
        self._thumbnails: list[_Thumbnail] = []
        self._bands: dict[tuple[int, int], list[int]] = {}

    def add(self, video: MaskletVideo) -> None:
        """Take in a video's frames. Those without a split cannot leak."""
        if video.info.split is None:
            return
        for index, frame in enumerate(video.frame_names):
            grey = Image.fromarray(video.image(index)).convert("L")
            thumb = np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX)).astype(np.int16)
            if thumb.std() < FLAT:
                continue
            for band, value in enumerate(_bands(grey)):
                self._bands.setdefault((band, value), []).append(len(self._thumbnails))
            self._thumbnails.append(_Thumbnail(video.name, frame, video.info.split, thumb))

    def findings(self) -> Iterator[Finding]:
        """One finding per pair of videos, at the closest pair of frames."""
        best: dict[tuple[str, str], tuple[float, int, int]] = {}
        count: dict[tuple[str, str], set[int]] = {}
        for difference, a, b in self._pairs():
            key = self._thumbnails[a].video, self._thumbnails[b].video
            best[key] = min(best.get(key, (np.inf, 0, 0)), (difference, a, b))
            count.setdefault(key, set()).add(a)
        for key, (difference, a, b) in best.items():
            first, second = self._thumbnails[a], self._thumbnails[b]
            detail = (
                f"frame {first.frame} ({first.split}) looks like frame {second.frame} of"
                f" {second.video} ({second.split}); {len(count[key])} such"
            )
            score = 1.0 - 0.3 * difference / CLOSE
            yield Finding("leak", first.video, None, (first.frame,), score, detail)

    def _pairs(self) -> Iterator[tuple[float, int, int]]:
        """(difference, frame, frame) of close frames of different splits, perhaps more than
        once."""
        if not self._thumbnails:
            return
        thumbs = np.stack([thumbnail.thumb for thumbnail in self._thumbnails])
        splits = np.array([thumbnail.split for thumbnail in self._thumbnails])
        for members in self._bands.values():
            ids = np.array(members)
            for a in members:
                others = ids[(ids > a) & (splits[ids] != splits[a])]
                if others.size:
                    differences = np.abs(thumbs[others] - thumbs[a]).mean(axis=(1, 2))
                    for place in np.flatnonzero(differences <= CLOSE):
                        yield float(differences[place]), a, int(others[place])


def recording_leaks(
    videos: Mapping[str, MaskletVideo], origins: Mapping[str, VideoOrigin]
) -> Iterator[Finding]:
    """Recordings (``sources.json``) that have sequences in more than one split."""
    places: dict[str, dict[str, str]] = {}
    for name, video in videos.items():
        key = origins.get(name, NOWHERE).recording
        if key and video.info.split:
            places.setdefault(key, {}).setdefault(video.info.split, name)
    for key, splits in places.items():
        if len(splits) > 1:
            listed = ", ".join(f"{name} ({split})" for split, name in sorted(splits.items()))
            yield Finding(
                "leak",
                next(iter(splits.values())),
                None,
                (),
                0.95,
                f"recording {key} is in {listed}",
            )


def _bands(grey: Image.Image) -> list[int]:
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BOX)).astype(np.int16)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return [int(value) for value in bits.view(np.uint16)]
