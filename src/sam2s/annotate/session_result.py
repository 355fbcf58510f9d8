"""What a session shows, as a ``Result`` that every format writes, and as data to train on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sam2s.annotate.frame_reader import FrameReader
from sam2s.annotate.video_room import VideoRoom
from sam2s.errors import InputError
from sam2s.export.class_votes import ClassVotes, SeenClass
from sam2s.export.writer import folder_name
from sam2s.formats.result import ObjectMask, Result, ResultFrame
from sam2s.masklets.masks import encode_rle
from sam2s.tracking.session.notes import SessionNotes
from sam2s.tracking.session.ranges import Stretch, Stretches


@dataclass(frozen=True, slots=True, eq=False)
class ShownMasks:
    """What is exported: {frame: {object: version}}, empty masks as version 0, frames ascending.
    Frames out of the body are there, with empty masks and black pictures."""

    room: VideoRoom
    notes: SessionNotes
    versions: dict[int, dict[int, int]]

    def picture(self, frame: int, reader: FrameReader) -> np.ndarray:
        """(H, W, 3) uint8 RGB; of a frame out of the body nothing is read."""
        if frame in self.notes.out_of_body:
            facts = self.room.facts
            return np.zeros((facts.height, facts.width, 3), np.uint8)
        return reader.frame(frame).image

    def masks(self, frame: int) -> dict[int, ObjectMask]:
        """The masks of one frame."""
        found = {}
        for object_id, version in sorted(self.versions[frame].items()):
            if version == 0:
                found[object_id] = ObjectMask(self._nothing(), 0.0, 0.0)
                continue
            mask = self.room.masks.read(version, object_id, frame)
            found[object_id] = ObjectMask(mask.rle, mask.presence, mask.score)
        return found

    def _nothing(self) -> dict[str, object]:
        facts = self.room.facts
        return encode_rle(np.zeros((facts.height, facts.width), bool))


def shown(
    room: VideoRoom, object_ids: Collection[int] = (), ranges: Sequence[Stretch] = ()
) -> ShownMasks:
    """What the session shows of some objects (none named: all) on some frames (none named: all).
    ``InputError`` where that is nothing."""
    notes = room.session.history.notes
    wanted = set(object_ids) or set(notes.objects)
    for object_id in wanted:
        notes.object(object_id)
    whole = Stretch(0, room.facts.count - 1)
    frames = Stretches.of(ranges) if ranges else Stretches((whole,))
    versions: dict[int, dict[int, int]] = defaultdict(dict)
    for object_id, frame, version in _stated(room, notes, wanted):
        if frame in frames and frame in whole:
            versions[frame][object_id] = 0 if frame in notes.out_of_body else version
    if not versions.keys() - set(notes.out_of_body):
        raise InputError("nothing to export: no mask of these objects is on these frames")
    for frame in range(min(versions), max(versions)):
        if frame in notes.out_of_body and frame in frames:
            versions[frame] = dict.fromkeys(wanted, 0)
    return ShownMasks(room, notes, dict(sorted(versions.items())))


def _stated(
    room: VideoRoom, notes: SessionNotes, wanted: Collection[int]
) -> Iterator[tuple[int, int, int]]:
    """(object, frame, version) of what is shown, then of where objects are said to be absent."""
    marks = room.masks.marks(room.session.history)
    columns = (marks.object_ids, marks.frames, marks.versions)
    for object_id, frame, version in zip(*(one.tolist() for one in columns), strict=True):
        if object_id in wanted:
            yield object_id, frame, version
    for object_id in wanted:
        for frame in notes.objects[object_id].absent:
            yield object_id, frame, 0


def session_result(what: ShownMasks, name: str) -> Result:
    """A ``Result``, read frame by frame as often as asked."""
    room, facts = what.room, what.room.facts
    ids = sorted({i for masks in what.versions.values() for i in masks})

    def frames() -> Iterator[ResultFrame]:
        for frame in what.versions:
            time = room.times[frame] if frame < len(room.times) else None
            yield ResultFrame(frame, time, what.masks(frame))

    names = {i: name for i, name in object_names(what).items() if i in ids}
    size = facts.height, facts.width
    is_folder = room.path.is_dir()
    return Result(folder_name(name, is_folder=is_folder), size, facts.fps, names, frames)


def object_names(what: ShownMasks) -> dict[int, str]:
    """Names that a person gave, and else the class that a track's frames vote for."""
    votes = ClassVotes()
    for frame, versions in what.versions.items():
        seen = {}
        for object_id, version in versions.items():
            if version == 0 or what.notes.objects[object_id].name is not None:
                continue
            mask = what.room.masks.read(version, object_id, frame)
            if mask.class_name is not None:
                seen[object_id] = SeenClass(mask.class_name, mask.class_prob or 0.0, mask.presence)
        votes = votes.with_frame(seen)
    named = {i: one.class_name for i, one in votes.named().items()}
    given = {i: mine.name for i, mine in what.notes.objects.items() if mine.name is not None}
    return {**named, **given}
