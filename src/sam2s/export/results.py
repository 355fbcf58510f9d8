"""What formats are written from: the result of a run, and the videos of a masklet folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sam2s.errors import InputError
from sam2s.export.class_votes import ClassVotes, SeenClass
from sam2s.export.tracks import Tracks, read_tracks
from sam2s.export.writer import TRACKS, folder_name
from sam2s.formats.mask_pictures import result_of_masks
from sam2s.formats.result import ObjectMask, Result, ResultFrame
from sam2s.masklets.mask_folders import open_mask_folder


def open_results(path: Path) -> list[Result]:
    """The result that ``sam2s track`` wrote (its folder or its ``tracks.json``), or those of the
    videos of a masklet, DAVIS or SA-V folder, of which pictures are not needed. Raises
    ``InputError`` where there is none."""
    if path.is_file() or (path / TRACKS).exists():
        return [open_result(path)]
    try:
        videos = open_mask_folder(path)
    except InputError as error:
        raise InputError(
            f"{path}: holds no {TRACKS} and no masks (Annotations/<video>/<object>/<frame>.png);"
            " give the folder that sam2s track wrote, or a masklet folder"
        ) from error
    results = map(result_of_masks, videos.values())
    return [replace(one, video=folder_name(one.video, is_folder=True)) for one in results]


def open_result(path: Path) -> Result:
    """The result that ``sam2s track`` wrote: its folder or its ``tracks.json``. Raises
    ``InputError`` where there is none."""
    file = path / TRACKS if path.is_dir() else path
    if not file.exists():
        raise InputError(f"{path}: holds no {TRACKS}; give the folder that sam2s track wrote")
    tracks = read_tracks(file)
    source = tracks.source

    def frames() -> Iterator[ResultFrame]:
        for frame in tracks.frames:
            masks = {
                i: ObjectMask(found.rle, found.presence, found.score)
                for i, found in sorted(frame.objects.items())
            }
            yield ResultFrame(frame.index, frame.time, masks)

    size = source.height, source.width
    return Result(folder_name(source.name), size, source.fps, _names(tracks), frames)


def _names(tracks: Tracks) -> dict[int, str]:
    """Names that a person gave, and else the class that a track's frames vote for: counted again,
    since files of the first versions do not hold it."""
    votes = ClassVotes()
    for frame in tracks.frames:
        votes = votes.with_frame(
            {
                i: SeenClass(found.class_name, found.class_prob or 0.0, found.presence)
                for i, found in frame.objects.items()
                if found.class_name is not None
            }
        )
    names = {i: one.class_name for i, one in votes.named().items()}
    for row in tracks.run.get("actions", ()):
        if isinstance(row, dict) and row.get("action") == "name":
            names[int(row["object"])] = str(row["name"])
    return names
