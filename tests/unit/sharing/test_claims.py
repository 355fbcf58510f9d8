"""Claims in a folder: one owner, alive or dead."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sam2s.sharing.claims import SharedFolder


def test_a_claim_has_one_owner_and_stays_fresh(tmp_path: Path) -> None:
    mine, yours = (SharedFolder(tmp_path, heartbeat=0.05, patience=0.6) for _ in range(2))
    with mine.claim("a/b") as first:
        time.sleep(1.0)
        with yours.claim("a/b") as second, yours.claim("c") as third:
            assert (first, second, third) == (True, False, True)
    with yours.claim("a/b") as again:
        assert again
    assert list(tmp_path.iterdir()) == []


def test_a_claim_taken_over_is_not_given_back_by_its_former_owner(tmp_path: Path) -> None:
    slow, quick = (SharedFolder(tmp_path, heartbeat=60, patience=0.05) for _ in range(2))
    with slow.claim("a"):
        time.sleep(0.2)
        with quick.claim("a") as taken:
            assert taken
            slow_owner = (tmp_path / "a.claim").read_text()
            assert slow_owner == quick.owner
        (tmp_path / "a.claim").write_text("a third one")
    assert (tmp_path / "a.claim").read_text() == "a third one"


def test_of_many_contenders_one_wins(tmp_path: Path) -> None:
    won: list[bool] = []
    gate = threading.Barrier(8)

    @contextmanager
    def claimed() -> Iterator[None]:
        with SharedFolder(tmp_path).claim("a") as mine:
            won.append(mine)
            gate.wait(10)
            yield

    def contend() -> None:
        gate.wait(10)
        with claimed():
            pass

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won.count(True) == 1


def test_the_claim_of_a_process_that_is_gone_is_taken_over_at_once(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    shared, claim = SharedFolder(tmp_path), tmp_path / "a.claim"
    here, _, own = shared.owner.rpartition(f"-{os.getpid()}-")
    elsewhere = f"other-{here}-{gone.pid}-{own}"
    for owner, taken in (
        (f"{here}-{os.getppid()}-{own}", False),
        (elsewhere, False),
        ("", False),
        (f"{here}-{gone.pid}-{own}", True),
    ):
        claim.write_text(owner)
        with shared.claim("a") as mine:
            assert mine == taken, owner
    assert not claim.exists()


def test_what_was_put_is_there_for_all_and_of_one_run(tmp_path: Path) -> None:
    one, other = SharedFolder(tmp_path), SharedFolder(tmp_path)
    assert one.same_run("x")
    assert other.same_run("x")
    assert not other.same_run("y")
    assert not other.has("a/b")
    one.put("a/b", {"n": 1})
    assert other.has("a/b")
    assert other.path("a/b").read_text() == '{"n": 1}\n'
