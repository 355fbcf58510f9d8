"""Finding a source's files wherever the user unpacked them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sam2s.convert.sources.base import SourceInfo
from sam2s.errors import InputError
from sam2s.media.pictures import natural_key

Place = tuple[int, int]
"""Device and number of a folder."""
JUNK_FOLDERS = frozenset({"__MACOSX"})
JUNK_FILES = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


class FileTree:
    """The files below a folder, without what archives and desktops leave behind, in natural order.

    ``skip``: pattern (regular expression, full match on a folder's name) of folders not to enter,
    for sources whose frame folders hold millions of files. Raises InputError when ``root`` is not a
    folder.
    """

    def __init__(self, info: SourceInfo, root: Path, skip: str | None = None) -> None:
        if not root.is_dir():
            raise InputError(f"{info.title}: {root}: no such folder")
        self.info = info
        self.root = root
        self.empty: list[str] = []
        entering = re.compile(skip) if skip else None
        self.paths = sorted(self._scan(root, "", entering, ()), key=natural_key)

    def match(self, pattern: str) -> list[tuple[re.Match[str], Path]]:
        """(match, path) of every file whose path below the root matches; patterns begin at any
        folder's name.

        The part of the path in front of the match is its group ``base``, '' or ending in '/'.
        """
        compiled = re.compile(rf"(?P<base>(?:.*/)?){pattern}", re.IGNORECASE)
        found = ((compiled.fullmatch(path), path) for path in self.paths)
        return [(match, self.root / path) for match, path in found if match]

    def require(self, pattern: str) -> list[tuple[re.Match[str], Path]]:
        """``match``, or the InputError that says what was expected and what is there."""
        found = self.match(pattern)
        if not found:
            raise self.unlike()
        return found

    def unlike(self, detail: str = "") -> InputError:
        """The error for a folder that is not this source."""
        there = found_files(self.paths)
        if self.empty:
            there += f", and {len(self.empty)} files of zero bytes such as {self.empty[0]}"
        extra = f" ({detail})" if detail else ""
        return InputError(
            f"{self.info.title}: expected {self.info.expected} under {self.root}{extra}; found"
            f" {there}"
        )

    def _scan(
        self, folder: Path, prefix: str, skip: re.Pattern[str] | None, above: tuple[Place, ...]
    ) -> Iterator[str]:
        """Paths of the files below ``folder``; ``above``: the folders it lies in."""
        within = (*above, place(folder))
        for entry in entries_of(folder):
            if is_folder(entry):
                wanted = entry.name not in JUNK_FOLDERS and not (
                    skip and skip.fullmatch(entry.name)
                )
                if wanted and place(Path(entry.path)) not in within:
                    inner = f"{prefix}{entry.name}/"
                    yield from self._scan(Path(entry.path), inner, skip, within)
            elif not (entry.name.startswith("._") or entry.name.lower() in JUNK_FILES):
                if _is_empty(entry):
                    self.empty.append(prefix + entry.name)
                else:
                    yield prefix + entry.name


def place(folder: Path) -> Place:
    """What a folder is, by whatever path: a link may lead back to a folder above it."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder. Raises InputError when it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror})") from error


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one. A link that leads to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_empty(entry: os.DirEntry[str]) -> bool:
    """Whether a file has no content. A link that leads nowhere does not count as one: whoever needs
    it will say so."""
    try:
        return entry.stat().st_size == 0
    except OSError:
        return False


def found_files(paths: Iterable[str], count: int = 3) -> str:
    """A few of the names, for a message."""
    paths = list(paths)
    if not paths:
        return "no files"
    step = max(1, len(paths) // count)
    return f"{len(paths)} files such as {', '.join(paths[::step][:count])}"


def find_folders(root: Path, pattern: str) -> list[Path]:
    """Folders whose name fully matches, in natural order; they are not searched for more, and files
    cost nothing."""
    compiled = re.compile(pattern)
    found: list[Path] = []

    def search(folder: Path, above: tuple[Place, ...]) -> None:
        within = (*above, place(folder))
        for entry in entries_of(folder):
            if not is_folder(entry) or entry.name in JUNK_FOLDERS:
                continue
            if compiled.fullmatch(entry.name):
                found.append(Path(entry.path))
            elif place(Path(entry.path)) not in within:
                search(Path(entry.path), within)

    search(root, ())
    return sorted(found, key=lambda path: natural_key(path.relative_to(root).as_posix()))


def pair(
    info: SourceInfo, pictures: dict[str, Path], masks: dict[str, Path], *, unmasked: str = "error"
) -> list[tuple[str, Path, Path]]:
    """(key, picture, mask) in natural order of the keys.

    ``unmasked``: what a picture without a mask is: 'error', or 'skip' where the source labels a
    part of its pictures. Raises InputError for a mask without a picture, which always means an
    incomplete download.
    """
    lonely = sorted(set(masks) - set(pictures), key=natural_key)
    if lonely:
        raise InputError(
            f"{info.title}: {masks[lonely[0]]}: mask without a picture ({len(lonely)} of"
            f" {len(masks)} masks); expected {info.expected}"
        )
    bare = sorted(set(pictures) - set(masks), key=natural_key)
    if bare and unmasked == "error":
        raise InputError(
            f"{info.title}: {pictures[bare[0]]}: picture without a mask ({len(bare)} of"
            f" {len(pictures)} pictures); expected {info.expected}"
        )
    return [(key, pictures[key], masks[key]) for key in sorted(masks, key=natural_key)]


def unique(info: SourceInfo, found: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """{key: path}; InputError when two files have one key, since either could be the right one."""
    table: dict[str, Path] = {}
    for key, path in found:
        if key in table:
            raise InputError(
                f"{info.title}: {table[key]} and {path} are both '{key}'; keep one of them"
            )
        table[key] = path
    return table


def trailing_number(stem: str) -> int | None:
    """The last run of digits of a name, or None."""
    digits = re.findall(r"\d+", stem)
    return int(digits[-1]) if digits else None
