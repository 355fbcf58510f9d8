"""Processes that do work: errors and deaths of single pieces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sam2s.errors import InputError
from sam2s.sharing.processes import ProcessPool


class Squares:
    """Squares numbers; 3 is an error, 4 takes the process along."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")

    def work(self, name: str) -> dict[str, Any]:
        if name == "3":
            raise InputError("three is\nno number for me")
        if name == "4":
            os._exit(7)
        if name == "sleep":
            time.sleep(60)
        return {"square": int(name) ** 2}


class Careful:
    """Works until it is stopped, and then takes its time to keep what it found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def work(self, name: str) -> dict[str, Any]:
        if name == "quick":
            return {}
        mine = self.folder / f"{name}.pid"
        mine.with_suffix(".part").write_text(str(os.getpid()))
        mine.with_suffix(".part").rename(mine)
        try:
            time.sleep(60)
        finally:
            time.sleep(0.5)
            mine.with_suffix(".kept").touch()
        return {}


def wait_for(*paths: Path) -> None:
    until = time.monotonic() + 30
    while not all(path.exists() for path in paths):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_one_error_and_one_death_do_not_stop_the_others(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pool = ProcessPool(1, Squares, (log,))
    try:
        found = dict(pool.each(["1", "3", "4", "5"]))
    finally:
        pool.stop()
    assert found["1"] == {"square": 1}
    assert found["3"] == "three is"
    assert found["4"] == "its process ended (exit code 7)"
    assert found["5"] == {"square": 25}
    pids = log.read_text().split()
    assert len(pids) == 2, "the one that died has a successor, and no other was started"


def test_stopping_ends_what_is_at_work(tmp_path: Path) -> None:
    pool = ProcessPool(2, Squares, (tmp_path / "log",))
    each = pool.each(["1", "sleep"])
    assert next(each) == ("1", {"square": 1})
    begun = time.monotonic()
    pool.stop()
    assert time.monotonic() - begun < 20


def test_what_a_signal_stopped_is_kept_though_it_is_asked_to_stop_again(
    tmp_path: Path,
) -> None:
    """A terminal sends Ctrl+C, a service its SIGTERM, to the workers as well; then we do."""
    pool = ProcessPool(3, Careful, (tmp_path,))
    assert next(pool.each(["SIGINT", "SIGTERM", "quick"])) == ("quick", {})
    for name in ("SIGINT", "SIGTERM"):
        mine = tmp_path / f"{name}.pid"
        wait_for(mine)
        os.kill(int(mine.read_text()), signal.Signals[name])
    time.sleep(0.1)
    pool.stop()
    assert sorted(path.name for path in tmp_path.glob("*.kept")) == ["SIGINT.kept", "SIGTERM.kept"]


def test_a_second_ctrl_c_ends_it_at_once_and_so_does_the_end_of_the_one_who_asks(
    tmp_path: Path,
) -> None:
    program = """
import sys
from pathlib import Path
from test_local_processes import Careful, ProcessPool
if __name__ == "__main__":
    pool = ProcessPool(2, Careful, (Path(sys.argv[1]),))
    list(pool.each(["twice", "orphan"]))
"""
    script = tmp_path / "program.py"
    script.write_text(program)
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, script, tmp_path], env={**os.environ, "PYTHONPATH": path}
    )
    twice, orphan = tmp_path / "twice.pid", tmp_path / "orphan.pid"
    wait_for(twice, orphan)
    for _ in range(2):
        os.kill(int(twice.read_text()), signal.SIGINT)
        time.sleep(0.1)
    parent.kill()
    parent.wait()
    wait_for(orphan.with_suffix(".kept"))
    assert not twice.with_suffix(".kept").exists()
