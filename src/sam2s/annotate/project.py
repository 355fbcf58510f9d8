"""A project: a folder with its database, and the videos it is about, wherever they lie."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select

from sam2s.annotate.database import open_database, writing
from sam2s.annotate.fingerprint import fingerprint
from sam2s.annotate.project_schema import VIDEOS
from sam2s.errors import InputError
from sam2s.files import FileLock, check_folder
from sam2s.media.pictures import PICTURE_SUFFIXES, list_pictures, natural_key

DATABASE = "project.sqlite"
EXPORTS = "exports"
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv"}
)
"""Files of a folder that are taken for videos; a file that is named itself may be called
anything."""


@dataclass(frozen=True, slots=True)
class ProjectVideo:
    """A video of a project. ``trouble``: why it cannot be worked on now (not there, or not the file
    that was annotated), None when it can."""

    id: str
    path: Path
    name: str
    trouble: str | None = None


class Project:
    """Opens the project in ``folder``, makes it where there is none, and keeps others out until it
    is closed. ``sources``: videos, folders of pictures, and folders of videos to add; those that
    are in it already, by their content, are known again wherever they have been moved to.

    Raises ``InputError`` for a folder that is no project's or is in use, and for sources that are
    not there.
    """

    def __init__(self, folder: Path, sources: Sequence[Path] = ()) -> None:
        found = [path for source in sources for path in _expanded(source)]
        check_folder(folder)
        self.folder = folder
        self._lock = FileLock(
            folder / ".lock",
            f"{folder}: is open in another sam2s annotate; close that one, or use its page",
        )
        try:
            self.engine: Engine = open_database(folder / DATABASE)
            for path in found:
                self._add(path)
            self.videos = self._checked()
        except BaseException:
            self._lock.release()
            raise
        if not self.videos:
            self.close()
            raise InputError(f"{folder}: holds no videos yet; name the videos to annotate")

    def video(self, video_id: str) -> ProjectVideo:
        """The video of an id; ``InputError`` when there is none."""
        found = next((video for video in self.videos if video.id == video_id), None)
        if found is None:
            raise InputError("there is no such video in this project")
        return found

    def new_export_folder(self, name: str) -> Path:
        """A folder inside the project that is not there yet, named after ``name``."""
        folder = self.folder / EXPORTS
        folder.mkdir(exist_ok=True)
        taken = {path.name for path in folder.iterdir()}
        number = next(n for n in range(1, len(taken) + 2) if f"{name}-{n}" not in taken)
        return folder / f"{name}-{number}"

    def close(self) -> None:
        """Let others in."""
        self.engine.dispose()
        self._lock.release()

    def _add(self, path: Path) -> None:
        seen = fingerprint(path)
        with writing(self.engine) as connection:
            rows = connection.execute(select(VIDEOS.c.id, VIDEOS.c.path, VIDEOS.c.fingerprint))
            for video_id, known_path, known in rows.all():
                if known == seen:
                    moved = VIDEOS.update().where(VIDEOS.c.id == video_id)
                    connection.execute(moved.values(path=str(path), name=path.name))
                    return
                if known_path == str(path):
                    return  # `_checked` says that it has changed
            connection.execute(
                VIDEOS.insert().values(
                    id=secrets.token_hex(8),
                    path=str(path),
                    name=path.name,
                    fingerprint=seen,
                    revision=0,
                )
            )

    def _checked(self) -> tuple[ProjectVideo, ...]:
        with self.engine.connect() as connection:
            rows = connection.execute(select(VIDEOS)).all()
        videos = [
            ProjectVideo(row.id, Path(row.path), row.name, _trouble(row.path, row.fingerprint))
            for row in rows
        ]
        return tuple(sorted(videos, key=lambda video: natural_key(video.name)))


def _trouble(path: str, known: str) -> str | None:
    place = Path(path)
    if not place.exists():
        return (
            f"{place.name} is no longer where it was; start sam2s annotate with the place it was"
            " moved to, and its annotations are there again"
        )
    try:
        same = fingerprint(place) == known
    except InputError as error:
        return str(error)
    return (
        None
        if same
        else f"{place.name} is not the file that was annotated: its content has changed. Its"
        " annotations are kept; put the original back, or add the new file under another name"
    )


def _expanded(source: Path) -> list[Path]:
    """The videos that a name on the command line stands for."""
    source = source.absolute()
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    if not source.is_dir():
        return [source]
    if list_pictures(source):
        return [source]
    inside = [path for path in source.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES]
    if not inside:
        kinds = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
        raise InputError(f"{source}: holds neither videos nor pictures ({kinds})")
    return sorted(inside, key=lambda path: natural_key(path.name))
