"""Files and folders that are written: whole or not at all, by one process at a time, and known to
be writable before the work begins.

Every file of a result appears under its name in one move. A folder or file that a long run fills is
taken with `FileLock`, and what a run was asked to write at its end is tried at its start with
`check_file` or `check_folder`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sam2s.errors import InputError

try:
    import fcntl
except ImportError:  # Windows has no locks of this kind: there, two runs at once are not noticed
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden name beside ``path`` to write to, moved to ``path`` on leaving; removed after an
    error.

    The content is on the disk before the move, so that not even a power cut leaves half a file.
    Raises InputError when the disk refuses.
    """
    hidden = path.with_name(f".{path.name[:40]}.{os.getpid()}.part")
    try:
        yield hidden
        with hidden.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(hidden, path)
    except OSError as error:
        raise not_written(path, error) from error
    finally:
        with suppress(OSError):
            hidden.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """The file's whole text, in one move. Raises InputError when the disk refuses."""
    with replacing(path) as hidden:
        hidden.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any, *, indent: int | None = 1) -> None:
    """JSON that every reader takes, in one move: null stands where a number is NaN or infinite.
    Raises InputError when the disk refuses."""
    replace_text(path, json_text(content, indent=indent) + "\n")


def json_text(content: Any, *, indent: int | None = None) -> str:
    """``content`` as JSON proper, which has no NaN and no infinity."""
    try:
        return json.dumps(content, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    return [_finite(v) for v in content] if isinstance(content, list | tuple) else content


def check_file(path: Path | None) -> None:
    """Make the folder of a file that will be written later, and try to write there. Raises
    InputError; None is no file and always well."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path}: is a folder, expected the name of a file to write")
    check_folder(path.parent)
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{path}: cannot be written (it is protected); name another file")


def check_folder(folder: Path | None) -> None:
    """Make a folder that will be written to later, and try to write there. Raises InputError; None
    is no folder and always well."""
    if folder is None:
        return
    probe = folder / f".{os.getpid()}.probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except FileExistsError:
        raise InputError(
            f"{folder}: cannot be made: it is a file, expected the name of a folder"
        ) from None
    except (OSError, ValueError) as error:
        raise not_written(folder, error) from error


def not_written(path: Path, error: OSError | ValueError) -> InputError:
    """The error for a place where the disk refuses."""
    why = getattr(error, "strerror", None) or error
    return InputError(f"{path}: cannot be written ({why}); name a place you may write to")


class FileLock:
    """A file that is there while work is under way, or was broken off; the system's lock on it says
    which of both.

    ``path``: the file, hidden in the folder that is written to or beside the file that is.
    ``resumed``: it was there before, so earlier work was broken off; ``made``: folders to
    remove on leaving, the inmost first, as far as they are empty. Context manager: taken at
    once, the file is removed on leaving, or kept with `release`. The system frees the lock when
    the process ends, however it ends.

    Raises InputError with ``busy`` while another process (or another lock of this one) has it, and
    when the file cannot be made. File systems without locks give none, and two runs at once are
    not noticed there.
    """

    def __init__(self, path: Path, busy: str) -> None:
        self.path = path
        self.made: tuple[Path, ...] = ()
        self.resumed = path.exists()
        if self.resumed and not path.is_file():
            raise InputError(f"{path}: is no file, though it should mark work; move it away")
        try:
            self._file: IO[str] = path.open("a")
        except OSError as error:
            raise not_written(path.parent, error) from error
        try:
            self._take()
        except BlockingIOError:
            self._file.close()
            raise InputError(busy) from None

    def __enter__(self) -> FileLock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def release(self, *, keep: bool = False) -> None:
        """Give the lock back. ``keep``: leave the file, as a sign that the work is not finished."""
        if self._file.closed:
            return
        if not keep:
            # While it is still ours: whoever opened the file meanwhile finds it gone, see _take.
            self.path.unlink(missing_ok=True)
        self._file.close()
        with suppress(OSError):  # one that holds something is to stay
            for folder in self.made:
                folder.rmdir()

    def _take(self) -> None:
        while fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:  # a file system without locks
                return
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._file.fileno()), self.path.stat()):
                    return
            self._file.close()  # the one before us removed it between our two steps
            self._file = self.path.open("a")


def lock_folder(folder: Path, work: str) -> FileLock:
    """Take a folder for a run that fills it; made where it is not there, and removed again should
    it be left empty. ``work``: what runs there, such as "training"."""
    new = tuple(place for place in (folder, *folder.parents) if not place.exists())
    check_folder(folder)
    busy = f"{folder}: another {work} is writing there; wait for it, or use another folder"
    lock = FileLock(folder / ".lock", busy)
    lock.made = new
    return lock


def lock_file(path: Path, work: str) -> FileLock:
    """Take a file that a run will write at its end. Raises as `FileLock`."""
    return FileLock(
        path.with_name(f".{path.name[:40]}.lock"),
        f"{path}: another {work} is writing this file; wait for it, or name another file",
    )
