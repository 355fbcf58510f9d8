"""What may be opened as a file: regular ones, whatever else may lie in a folder."""

from __future__ import annotations

import stat
from pathlib import Path

from sam2s.errors import InputError


def regular_size(path: Path | str) -> int:
    """The size in bytes of a regular file; InputError for anything else.

    Opening a named pipe waits for a writer and a device for its hardware: a reader would hang. Some
    files of ``/proc`` do the same although they are regular, but their size is 0, as is that of
    files that there is no use in opening.
    """
    try:
        state = Path(path).stat()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)[:200]}: cannot be read ({error})") from error
    if stat.S_ISDIR(state.st_mode):
        raise InputError(f"{path}: is a folder, expected a file")
    if not stat.S_ISREG(state.st_mode):
        kinds = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
        kind = kinds.get(stat.S_IFMT(state.st_mode), "device")
        raise InputError(f"{path}: is a {kind}, expected a regular file")
    return state.st_size
