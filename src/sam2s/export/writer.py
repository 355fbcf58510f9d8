"""One writer for everything a run leaves behind: masks, ``tracks.json`` and an overlay video.

::

    OUT/Annotations/<video>/...     masks, in the SA-V or the DAVIS layout
    OUT/tracks.json                 the same masks with time, presence and score

Results grow under hidden names and get their final ones at the end, so nothing half-written is ever
seen under a final name. When the source breaks or the user interrupts, the frames so far are kept
and ``tracks.json`` says where it ended; after any other error nothing is kept. However long the
video is, one frame is held at a time.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from sam2s.errors import DamagedSource, InputError, OutOfMemory
from sam2s.export.mask_files import MaskFormat, open_mask_files
from sam2s.export.overlay import draw_overlay
from sam2s.export.tracks import Breakage, TrackedSource, TracksWriter, read_head
from sam2s.export.video_file import VideoWriter, check_video_path, hidden_beside
from sam2s.files import lock_folder
from sam2s.interruption import uninterrupted
from sam2s.media.frames import FrameSource
from sam2s.typed_json import is_folder_name
from sam2s.types import Frame, FrameResult

TRACKS = "tracks.json"
ANNOTATIONS = "Annotations"
HIDDEN = ".sam2s-part"
LONGEST_NAME = 100
"""Letters of a folder's name: file systems allow 255 bytes, and a letter may take four."""


@dataclass(frozen=True, slots=True)
class Output:
    """What to write where. ``overlay``: a video file (mp4, mov, mkv), or None; ``names``: labels in
    the overlay; ``keep_earlier``: results that are there already are moved aside, not replaced."""

    folder: Path
    masks: MaskFormat = "sav"
    overlay: Path | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    keep_earlier: bool = True


class ResultWriter:
    """Context manager that takes each frame with its result.

    ``source`` names the video and its files; ``run`` says what made the result (model, memory rule,
    ...: anything JSON can hold).

    ``frames``: how many were written; ``notes``: what the user should know, one sentence each. What
    an earlier run left in the folder is moved to ``earlier-N``, and what a killed run left to
    ``broken-off-N``, with a note; a folder that another run is writing to is refused.

    Raises InputError when the folder holds something else under a name to be written, when the
    overlay would overwrite the source or the results, and when the disk refuses; in the last case
    the frames so far are kept.
    """

    def __init__(self, output: Output, source: FrameSource, run: Mapping[str, Any]) -> None:
        self._output, self._source = output, source
        is_folder = source.path is not None and source.path.is_dir()
        self.video = folder_name(source.name, is_folder=is_folder)
        self.masks_folder = output.folder / ANNOTATIONS / self.video
        self.tracks_file = output.folder / TRACKS
        self.frames = 0
        self.notes: list[str] = []
        self._last: tuple[int, float | None] = (-1, None)
        self._current: str | None = None
        self._refused: str | None = None
        self._overlay: VideoWriter | None = None
        self._check_overlay()
        self._check_folder()
        self._hidden = output.folder / HIDDEN
        # May find that the source holds nothing, before anything is made.
        height, width = source.size
        with self._storing():
            self._new_folder = not output.folder.exists()
            output.folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock_folder(output.folder, "run")
            try:
                self._keep_broken_off()
                self._hidden.mkdir(parents=True)
                info = TrackedSource(source.name, width, height, source.fps)
                self._tracks = TracksWriter(self._hidden / TRACKS, info, run)
            except BaseException:
                self._lock.release()
                raise
        self._masks = open_mask_files(self._hidden / ANNOTATIONS / self.video, output.masks)

    def __enter__(self) -> ResultWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        after = self._last[0] + 1, self._last[1]
        try:
            if error is None:
                with uninterrupted():
                    self.finish()
            elif isinstance(error, DamagedSource):
                self.finish(Breakage(error.index, error.time, str(error)))
            elif isinstance(error, OutOfMemory):
                self.finish(Breakage(*after, str(error)))
            elif self._refused is not None:
                self.finish(Breakage(*after, self._refused))
            elif isinstance(error, KeyboardInterrupt):
                self.finish(Breakage(*after, "interrupted"))
            else:
                self.discard()
        finally:
            self._lock.release()

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Add one frame: its masks, its line in ``tracks.json``, its picture in the overlay."""
        name = self._source.frame_name(frame.index)
        self._current = name
        with uninterrupted(), self._storing():
            self._masks.write(name, result.masks)
            if self._output.overlay is not None:
                self._draw(frame, result)
            self._tracks.write(result)
            self._current = None
            self._last = frame.index, frame.time
            self.frames += 1

    def finish(self, broke_at: Breakage | None = None) -> None:
        """Complete the files and give them their final names. Without a single frame nothing is
        left behind."""
        if self.frames == 0:
            self.discard()
            return
        if self._current is not None:  # a frame that an error or interrupt cut off
            self._masks.take_back(self._current)
        self._finish_overlay()
        with self._storing():
            self._tracks.close(broke_at)
            self._publish()
        self.notes += self._masks.notes()
        self._lock.release()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._tracks.discard()
        if self._overlay is not None and self._output.overlay is not None:
            self._overlay.discard()
            hidden_beside(self._output.overlay).unlink(missing_ok=True)
        shutil.rmtree(self._hidden, ignore_errors=True)
        self._lock.release()
        if self._new_folder:
            with suppress(OSError):
                self._output.folder.rmdir()

    def _draw(self, frame: Frame, result: FrameResult) -> None:
        assert self._output.overlay is not None
        if self._overlay is None:
            self._overlay = VideoWriter(
                hidden_beside(self._output.overlay), frame.size, self._source.fps
            )
        # What the track so far is, not what the frame alone looks like: names do not flicker.
        shown = replace(result, classes=self._tracks.classes_after(result))
        self._overlay.write(draw_overlay(frame.image, shown, self._output.names), frame.time)

    def _finish_overlay(self) -> None:
        """The overlay under its name; where it cannot be completed, the masks go without it."""
        overlay = self._output.overlay
        if self._overlay is None or overlay is None:
            return
        hidden = hidden_beside(overlay)
        try:
            self._overlay.close()
            os.replace(hidden, overlay)
        except (OSError, InputError) as error:
            self._overlay.discard()
            hidden.unlink(missing_ok=True)
            self.notes.append(f"the overlay could not be completed and was left out ({error})")

    def _publish(self) -> None:
        """Move masks and tracks to their places, and what an earlier run left there to a place of
        its own."""
        (self._hidden / ANNOTATIONS / self.video).mkdir(parents=True, exist_ok=True)
        if self.tracks_file.exists() and self._output.keep_earlier:
            place = self._free_name("earlier")
            self._move_results(self._output.folder, place)
            self.notes.append(f"the results of an earlier run were moved to {place}")
        elif self.masks_folder.exists():
            os.replace(self.masks_folder, self._hidden / "before")
        self._move_results(self._hidden, self._output.folder)
        shutil.rmtree(self._hidden, ignore_errors=True)

    def _move_results(self, source: Path, target: Path) -> None:
        """Masks of this video and tracks from one folder to another, made where it is missing."""
        masks = source / ANNOTATIONS / self.video
        (target / ANNOTATIONS).mkdir(parents=True, exist_ok=True)
        if masks.exists():
            os.replace(masks, target / ANNOTATIONS / self.video)
        os.replace(source / TRACKS, target / TRACKS)

    def _keep_broken_off(self) -> None:
        """What a killed run left behind: kept under a visible name where it holds a frame."""
        if not self._hidden.exists():
            return
        found = any((self._hidden / ANNOTATIONS).rglob("*.png"))
        if not found or not self._output.keep_earlier:
            shutil.rmtree(self._hidden, ignore_errors=True)
            return
        place = self._free_name("broken-off")
        os.replace(self._hidden, place)
        self.notes.append(f"an earlier run was killed; what it had found was moved to {place}")

    def _free_name(self, word: str) -> Path:
        """``word-N`` in the results' folder, N the first number that is free."""
        return next(
            path for n in count(1) if not (path := self._output.folder / f"{word}-{n}").exists()
        )

    def _check_overlay(self) -> None:
        overlay, path = self._output.overlay, self._source.path
        if overlay is None:
            return
        check_video_path(overlay)
        if path is not None and overlay.exists() and overlay.samefile(path):
            raise InputError(
                f"{overlay}: the overlay would overwrite the source; choose another name"
            )

    def _check_folder(self) -> None:
        """Only results of an earlier run on this source may make room."""
        folder, source = self._output.folder, self._source.path
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file, expected the name of a folder for the results")
        if source is not None and source.is_dir() and folder.resolve() == source.resolve():
            raise InputError(
                f"{folder}: is the folder of the pictures; choose another one for the results"
            )
        if self.tracks_file.exists():
            before = read_head(self.tracks_file).get("source", {}).get("name")
            if before is None:
                raise InputError(
                    f"{self.tracks_file}: exists already and does not come from an earlier run;"
                    " choose another folder"
                )
            if before != self._source.name:
                raise InputError(
                    f"{self.tracks_file}: holds results of '{before}'; choose another folder for"
                    f" '{self._source.name}'"
                )
        elif self.masks_folder.exists():
            raise InputError(
                f"{self.masks_folder}: exists already, without {TRACKS}; choose another folder"
            )

    @contextmanager
    def _storing(self) -> Iterator[None]:
        """Errors of the disk as one line."""
        try:
            yield
        except OSError as error:  # FFmpeg's errors are of this kind too
            self._refused = (
                f"cannot write to {error.filename or self._output.folder}"
                f" ({error.strerror or error})"
            )
            raise InputError(f"{self._refused}; make room or choose another folder") from error


def folder_name(source: str, *, is_folder: bool = False) -> str:
    """A source's name, fit to name a folder, and of a long one the beginning. A file loses its
    suffix; a folder has none, whatever dots are in its name, and keeps the name by which data sets
    know it."""
    usable = is_folder_name(source) and not any(c in source for c in '<>:"|?*')
    if is_folder and usable and len(source) <= LONGEST_NAME:
        return source
    name = source.rstrip("/").rsplit("/", 1)[-1]
    stem = name if is_folder else Path(name).stem
    return re.sub(r"[^\w.-]+", "_", stem).strip("._")[:LONGEST_NAME] or "video"
