"""Work that several workers share over a folder and nothing else: no server, no file locks, any
machines.

In the folder stands ``<name>.json`` for every finished piece of work and ``<name>.claim`` for every
one at work. A claim is a file that only one process can make; its owner touches it while it works,
so a claim that was not touched for ``PATIENCE`` seconds is a dead worker's and may be taken over;
one of a process of this machine that is gone, at once. The file system's own clock tells the age,
so the machines' clocks need not agree.

Claims only save work: two workers that do the same piece must leave the same, each in one move.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sam2s.errors import InputError
from sam2s.files import json_text, replace_text
from sam2s.typed_json import parse_json

HEARTBEAT = 15.0
"""Seconds between two touches of a claim."""
PATIENCE = 300.0
"""Seconds without a touch after which a claim is a dead worker's: far above the delays of network
file systems."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """What says to which run the files in a folder, or the lines of a file, belong. ``run``: its
    `run_key`."""

    run: str


def run_key(run: Mapping[str, Any]) -> str:
    """One word for all that decides what comes out."""
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()


def read_run(path: Path) -> str | None:
    """The key in a file that `RunLine` describes; None when it is none."""
    try:
        return parse_json(path.read_bytes(), RunLine, str(path)).run
    except (OSError, InputError):
        return None


class SharedFolder:
    """A folder that is there, in which workers meet. Names of work may hold any letter."""

    def __init__(
        self, folder: Path, *, heartbeat: float = HEARTBEAT, patience: float = PATIENCE
    ) -> None:
        self.folder = folder
        self._heartbeat, self._patience = heartbeat, patience
        self.owner = f"{_here()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    def has(self, name: str) -> bool:
        """Whether any worker has finished this piece."""
        return self.path(name).exists()

    def path(self, name: str) -> Path:
        """Where the finished piece stands."""
        return self._path(name, "json")

    def put(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep what a finished piece of work left, in one move."""
        self._put(self.path(name), json_text(content) + "\n")

    def same_run(self, key: str) -> bool:
        """Whether the folder is of the run with this `run_key`; an empty one becomes so."""
        path = self.folder / "run"
        if not path.exists():
            self._put(path, json_text({"run": key}) + "\n")
        return read_run(path) == key

    @contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Whether the piece is this worker's for the time being; it is given back on leaving."""
        path = self._path(name, "claim")
        self._remove_stale(path)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(self.owner)
        except FileExistsError:
            yield False
            return
        stop = threading.Event()
        beat = threading.Thread(target=self._keep_alive, args=(path, stop), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            stop.set()
            beat.join()
            if _read(path) == self.owner:
                path.unlink(missing_ok=True)

    def reclaim(self) -> None:
        """Drop every claim."""
        for path in self.folder.glob("*.claim"):
            path.unlink(missing_ok=True)

    def _put(self, path: Path, text: str) -> None:
        """Whole or not at all, by a name that no other worker uses meanwhile."""
        own = path.with_name(f"{path.name}.{self.owner}")
        replace_text(own, text)
        os.replace(own, path)

    def _remove_stale(self, path: Path) -> None:
        """Take a dead worker's claim away. The move succeeds for one of several that try; should it
        take a claim made in that very moment, its owner goes on undisturbed and the work is
        merely done twice."""
        age = self._age(path)
        if age is None or (age < self._patience and not _is_gone(_read(path))):
            return
        stale = path.with_name(f"{path.name}.{self.owner}.dead")
        try:
            os.rename(path, stale)
            stale.unlink()
        except FileNotFoundError:
            return

    def _age(self, path: Path) -> float | None:
        """Seconds since the claim was touched, by the clock of the file system; None where there is
        none."""
        clock = self.folder / f"clock.{self.owner}"
        try:
            touched = path.stat().st_mtime
            clock.touch()
            return clock.stat().st_mtime - touched
        except FileNotFoundError:
            return None
        finally:
            clock.unlink(missing_ok=True)

    def _keep_alive(self, path: Path, stop: threading.Event) -> None:
        while not stop.wait(self._heartbeat):
            try:
                os.utime(path)
            except OSError:
                # Taken over, or the network is down: at worst the work is done twice.
                continue

    def _path(self, name: str, kind: str) -> Path:
        return self.folder / f"{quote(name, safe='')}.{kind}"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _here() -> str:
    """Where process numbers mean the same process: this machine since it was started and, within
    it, this container."""
    names = [socket.gethostname()]
    try:
        names.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        names.append(os.readlink("/proc/self/ns/pid").strip("pid:[]"))
    except OSError:  # no Linux: there are no containers either
        pass
    return "-".join(names)


def _is_gone(owner: str | None) -> bool:
    """Whether a claim's owner was a process of this machine, and is no more."""
    mine, owner = f"{_here()}-", owner or ""
    number = owner.removeprefix(mine).partition("-")[0]
    asked = os.name == "posix"  # elsewhere the question would end the process
    if not (asked and owner.startswith(mine) and number.isdecimal()):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
