"""Archives from strangers, unpacked into an empty folder: never a file elsewhere, never without
end."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from sam2s.errors import InputError

MOST_FILES, MOST_BYTES = 200_000, 2**31
"""In one archive, unpacked."""
DEEPEST = 8
"""Folders inside one another."""
BLOCK = 2**20


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip file's plain files into ``folder``.

    Raises ``InputError`` for files whose names lead elsewhere, for links, for what is encrypted or
    damaged, and for more than the limits, whatever the archive states of its size.
    """
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if len(entries) > MOST_FILES:
                raise InputError(f"archive: holds more than {MOST_FILES} files")
            for entry in entries:
                place = folder / _name(entry)
                place.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as inside, place.open("xb") as out:
                    while block := inside.read(BLOCK):
                        left -= len(block)
                        if left < 0:
                            raise InputError(f"archive: holds more than {MOST_BYTES >> 20} MiB")
                        out.write(block)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise InputError(f"archive: cannot be unpacked ({error})") from error


def _name(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Where the entry goes, relative to the folder."""
    name = PurePosixPath(entry.filename)
    strange = (
        name.is_absolute()
        or not name.parts
        or len(name.parts) > DEEPEST
        or any(
            part in ("..", ".") or any(c in part for c in "\\:\0") or not part.isprintable()
            for part in name.parts
        )
    )
    if strange or stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError("archive: holds a file with a name that leads elsewhere, or a link")
    return name
