"""Exports: a folder in the project, and one file of it for the browser."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import sys
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from sam2s.annotate.session_result import object_names, session_result, shown
from sam2s.annotate.workspace import Workspace
from sam2s.errors import InputError
from sam2s.files import not_written
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions
from sam2s.formats.verified import plan_export, write_verified
from sam2s.masklets.catalogue import Kind, ObjectInfo, VideoInfo
from sam2s.masklets.masklet_writer import MaskletWriter
from sam2s.masklets.vocabulary import is_known, kind_of
from sam2s.tracking.session.ranges import Stretch

LOSS = "write even what the format cannot hold whole"
"""The page's words for ``allow_loss``."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The date of every file in an archive: when something was annotated is nobody's business."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to write; empty collections are everything."""

    format: str
    objects: Collection[int] = ()
    ranges: Sequence[Stretch] = ()
    allow_loss: bool = False
    polygons: bool = False


@dataclass(frozen=True, slots=True)
class ExportMade:
    """A finished export. ``id``: for ``Exports.folder``; ``frames`` written."""

    id: str
    folder: Path
    frames: int
    notes: tuple[str, ...]


class Exports:
    """The exports of one server, by opaque ids. One is written at a time."""

    def __init__(self, work: Workspace) -> None:
        self._work = work
        self._made: dict[str, Path] = {}
        self._lock = Lock()

    def make(self, video_id: str, request: ExportRequest) -> ExportMade:
        """Write masks in a format of ``sam2s export``, verified; ``InputError`` where the format
        cannot hold them and ``allow_loss`` is not set."""
        if request.format not in FORMATS:
            raise InputError(f"format: expected one of {', '.join(FORMATS)}")
        room, name = self._work.room(video_id), self._work.project.video(video_id).name
        result = session_result(shown(room, request.objects, request.ranges), name)
        options = ExportOptions(polygons=request.polygons)
        FORMATS[request.format].check(request.format, options)
        plan = plan_export(
            request.format, result, options, allow_loss=request.allow_loss, hint=f"tick “{LOSS}”"
        )
        with self._lock:
            out = self._work.project.new_export_folder(f"{_safe(name)}-{request.format}")
            hidden = out.with_name(f".{out.name}.part")
            try:
                hidden.mkdir()
                write_verified(plan, hidden, out)
                os.replace(hidden, out)
            except OSError as error:
                raise not_written(out, error) from error
            finally:
                shutil.rmtree(hidden, ignore_errors=True)
        return self._kept(out, plan.contents.frames, plan.notes)

    def make_training_set(self, video_id: str) -> ExportMade:
        """Write frames with their masks as `sam2s train finetune` takes them. Frames out of the
        body are black."""
        room, name = self._work.room(video_id), self._work.project.video(video_id).name
        what = shown(room)
        names = object_names(what)
        objects = {i: _info(names.get(i)) for i in what.notes.objects}
        info = VideoInfo(source="annotated", fps=room.facts.fps, objects=objects)
        reader = room.new_reader()
        with self._lock:
            out = self._work.project.new_export_folder(f"{_safe(name)}-training")
            try:
                with MaskletWriter(out) as writer:
                    writer.add_video(_safe(name), info)
                    for frame in what.versions:
                        masks = {i: found.mask for i, found in what.masks(frame).items()}
                        picture = what.picture(frame, reader)
                        writer.write(_safe(name), f"{frame:06d}", picture, masks)
            except OSError as error:
                raise not_written(out, error) from error
            finally:
                reader.close()
        return self._kept(out, len(what.versions), ())

    def finetune_command(self, made: ExportMade) -> str:
        """The command that trains on a training set, to be run as it stands."""
        model = self._work.models.choice.model
        runs = made.folder.with_name(f"{made.folder.name}-model")
        program = ["sam2s"] if shutil.which("sam2s") else [sys.executable, "-m", "sam2s"]
        words = [*program, "train", "finetune", "--data", made.folder, "--model", model]
        return shlex.join(str(word) for word in [*words, "--out", runs])

    def archive(self, export_id: str, into: Path) -> str:
        """Write the export as one zip file to ``into`` and give its name; ``InputError`` when there
        is none of that id."""
        folder = self._made.get(export_id)
        if folder is None or not folder.is_dir():
            raise InputError("there is no such export; make it again")
        with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), LONG_AGO)
                entry.compress_type = zipfile.ZIP_DEFLATED
                with path.open("rb") as file, archive.open(entry, "w") as inside:
                    while block := file.read(2**20):
                        inside.write(block)
        return f"{folder.name}.zip"

    def _kept(self, out: Path, frames: int, notes: tuple[str, ...]) -> ExportMade:
        made = ExportMade(secrets.token_hex(8), out, frames, notes)
        self._made[made.id] = out
        return made


def _safe(name: str) -> str:
    """A video's name as part of a folder's."""
    return re.sub(r"[^\w.-]+", "_", Path(name).stem)[:60].strip(".") or "video"


def _info(name: str | None) -> ObjectInfo:
    """An object's class, where it is one of the vocabulary; other names say no kind."""
    if name is None or not is_known(name):
        return ObjectInfo(None)
    kind: Kind = kind_of(name)
    return ObjectInfo(name, kind)
