"""Processes that do work: errors and deaths of single pieces."""

from __future__ import annotations

import os
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


def test_one_error_and_one_death_do_not_stop_the_others(tmp_path: Path) -> None:
    died: list[tuple[str, int]] = []
    log = tmp_path / "log"
    pool = ProcessPool(1, Squares, (log,), lambda name, process: died.append((name, process)))
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
    assert died == [("4", int(pids[0]))]


def test_stopping_ends_what_is_at_work(tmp_path: Path) -> None:
    pool = ProcessPool(2, Squares, (tmp_path / "log",))
    each = pool.each(["1", "sleep"])
    assert next(each) == ("1", {"square": 1})
    begun = time.monotonic()
    pool.stop()
    assert time.monotonic() - begun < 20
