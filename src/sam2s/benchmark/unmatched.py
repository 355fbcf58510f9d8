"""What two folders of masks do not have in common: a low score often has its cause there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sam2s.masklets.mask_folders import VideoMasks
from sam2s.media.pictures import natural_key

SHOWN = 3
"""Videos named for each kind of difference; the others are counted."""


class Notes:
    """Sentences about videos, a few of each kind, in the order of their first appearance."""

    def __init__(self) -> None:
        self._said: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, sentence: str) -> None:
        """``kind``: which sentences are of one sort."""
        self._said[kind].append(sentence)

    def all(self) -> tuple[str, ...]:
        """The first of each kind, and how many more there are."""
        lines: list[str] = []
        for sentences in self._said.values():
            lines += sentences[:SHOWN]
            if len(sentences) > SHOWN:
                lines.append(f"... and {len(sentences) - SHOWN} more such notes")
        return tuple(lines)


def note_videos(
    notes: Notes, truth: Mapping[str, VideoMasks], predicted: Mapping[str, VideoMasks]
) -> None:
    """Videos that were predicted and are not in the truth; they are not scored."""
    extra = sorted(set(predicted) - set(truth), key=natural_key)
    if extra and len(predicted) > 1:
        notes.add("videos", f"{_some(extra, 'predicted video')} not in the truth")


def note_differences(notes: Notes, true: VideoMasks, other: VideoMasks) -> None:
    """Objects, frames and values of a prediction that the truth of its video does not have."""
    where = f"video '{true.name}'"
    extra = sorted(set(other.masks.ids()) - set(true.objects))
    if extra:
        known = ", ".join(map(str, true.objects)) or "none"
        notes.add(
            "objects",
            f"{where}: {_some(extra, 'predicted object')} not in the truth (its objects: {known})",
        )
    frames = sorted(frame_names(other) - frame_names(true), key=natural_key)
    if frames:
        notes.add("frames", f"{where}: {_some(frames, 'predicted frame')} not in the truth")
    for said in other.masks.notes():
        notes.add("files", f"{where}, prediction: {said}")
    for said in true.masks.notes():
        notes.add("true files", f"{where}, truth: {said}")


def frame_names(video: VideoMasks) -> set[str]:
    """Names of the frames that are annotated for any object."""
    return {frame for object_id in video.masks.ids() for frame in video.masks.frames(object_id)}


def _some(items: Sequence[object], what: str) -> str:
    """ "predicted object 7 is", "12 predicted frames (00001, 00002, 00003, ...) are"."""
    if len(items) == 1:
        return f"{what} {items[0]} is"
    dots = ", ..." if len(items) > SHOWN else ""
    return f"{len(items)} {what}s ({', '.join(map(str, items[:SHOWN]))}{dots}) are"
