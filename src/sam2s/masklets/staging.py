"""A masklet folder under construction, whoever builds it: conversion, synthesis or a writer of the
user's own.

A video grows in a hidden folder, is moved to its place when it is whole, and is then listed in
``masklets.json``. A hidden file says that building is under way and is locked meanwhile, so that
two processes never build in one folder, readers refuse a folder that was left half built, and what
a crash left behind is known to be ours.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sam2s.errors import InputError
from sam2s.files import FileLock, check_folder, write_json
from sam2s.masklets.catalogue import (
    CATALOGUE,
    UNFINISHED,
    VIDEO_BY_VIDEO,
    VideoInfo,
    info_to_json,
    read_catalogue,
)
from sam2s.typed_json import check_fields, is_folder_name, shown

PARTS = ("JPEGImages", "Annotations")


class Staging:
    """The folder ``root``, made and taken for one builder.

    ``work``: what builds there, such as "conversion", for the error of a second one;
    ``by_video``: its listed videos may be used before it is finished. ``catalogue``: the videos
    listed so far. `release` must be called at the end.

    Raises InputError while another builder is at work, when the folder cannot be written, or when
    its catalogue is damaged.
    """

    def __init__(self, root: Path, work: str, *, by_video: bool = False) -> None:
        check_folder(root)
        busy = f"{root}: another {work} is writing there; wait for it, or use another folder"
        self.root = root
        self.lock = FileLock(root / UNFINISHED, busy)
        try:
            (root / UNFINISHED).write_text(VIDEO_BY_VIDEO if by_video else "", encoding="utf-8")
            self.catalogue: dict[str, VideoInfo] = read_catalogue(root) or {}
        except BaseException:
            self.lock.release(keep=self.lock.resumed)
            raise

    def claim(self, name: str) -> Path:
        """An empty hidden folder for the video, with a folder for each of `PARTS`, after what a
        crash left of it was removed.

        Raises InputError for a name that cannot be a folder's, and when files are in its place that
        are not ours.
        """
        check_name(name)
        hidden = self.hidden(name)
        taken = [path for part in PARTS if (path := self.root / part / name).exists()]
        if taken and not (self.lock.resumed or hidden.exists()):
            raise InputError(
                f"{taken[0]}: exists already, but {CATALOGUE} does not list it; move it away first"
            )
        for path in (*taken, hidden):
            if path.exists():
                shutil.rmtree(path)
        for part in PARTS:
            (hidden / part).mkdir(parents=True)
        return hidden

    def adopt(self, name: str, info: VideoInfo) -> None:
        """Move the finished video from its hidden folder to its place; `write_catalogue` lists it.

        Raises InputError for an ``info`` that could not be read back.
        """
        check_fields(info, name)
        hidden = self.hidden(name)
        for part in PARTS:
            (self.root / part).mkdir(exist_ok=True)
            os.replace(hidden / part, self.root / part / name)
        hidden.rmdir()
        self.catalogue[name] = info

    def drop(self, name: str) -> None:
        """Remove the hidden folder of a video that is not to be finished."""
        shutil.rmtree(self.hidden(name), ignore_errors=True)

    def write_catalogue(self) -> None:
        """List the videos in ``masklets.json``, in one move."""
        videos = {name: info_to_json(info) for name, info in self.catalogue.items()}
        write_json(self.root / CATALOGUE, {"videos": videos})

    def release(self, *, finished: bool) -> None:
        """Leave the folder to others. What is not ``finished`` stays marked as such."""
        self.lock.release(keep=not finished)

    def hidden(self, name: str) -> Path:
        """Where a video grows."""
        return self.root / f".{name}.part"


def check_name(name: str) -> None:
    """Raise InputError for a name that no video or frame can have on every system."""
    if not is_folder_name(name) or any(c in name for c in '<>:"|?*') or len(name.encode()) > 240:
        raise InputError(
            f"{shown(name)}: cannot name a video or frame; use letters, digits, '-' and '_'"
        )
