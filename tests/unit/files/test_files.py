"""Writing whole files, trying places first, and one process at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sam2s import files
from sam2s.errors import InputError
from sam2s.files import (
    FileLock,
    check_file,
    check_folder,
    lock_file,
    lock_folder,
    replace_text,
    replacing,
    write_json,
)


def test_a_file_is_swapped_whole_or_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    replace_text(path, "one")

    def broken() -> None:
        with replacing(path) as hidden:
            hidden.write_text("half")
            assert path.read_text() == "one"
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert path.read_text() == "one"
    replace_text(path, "two")
    assert path.read_text() == "two"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_names_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127)
    replace_text(path, "x")
    with lock_file(path, "run"):
        assert path.read_text() == "x"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no/a.txt: cannot be written \(No such file"):
        replace_text(tmp_path / "no" / "a.txt", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"folder: cannot be written"):
        replace_text(tmp_path / "folder", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_numbers_that_json_does_not_have_become_null(tmp_path: Path) -> None:
    content = {"a": [1.5, float("nan")], "b": {"c": float("-inf")}, "d": (float("inf"),)}
    write_json(tmp_path / "a.json", content)
    stored = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert stored == {"a": [1.5, None], "b": {"c": None}, "d": [None]}


def test_places_are_made_and_tried(tmp_path: Path) -> None:
    check_file(None)
    check_folder(None)
    check_file(tmp_path / "new" / "deep" / "a.json")
    check_folder(tmp_path / "other" / "deep")
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    (tmp_path / "file").write_text("x")
    for call, path, message in (
        (check_file, tmp_path / "new", "is a folder, expected the name of a file"),
        (check_file, tmp_path / "file" / "a.json", "is a file, expected the name of a folder"),
        (check_folder, tmp_path / "file", "is a file, expected the name of a folder"),
        (check_folder, tmp_path / "file" / "a" / "b", "cannot be written"),
        (check_folder, tmp_path / ("a" * 300), "cannot be written"),
    ):
        with pytest.raises(InputError, match=message):
            call(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_protected_places(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        for call, path in ((check_file, tmp_path / "a"), (check_folder, tmp_path)):
            with pytest.raises(InputError, match="cannot be written"):
                call(path)
    finally:
        tmp_path.chmod(0o700)


needs_locks = pytest.mark.skipif(files.fcntl is None, reason="no locks on this system")
HOLD = """
import sys
from pathlib import Path
from sam2s.files import lock_folder
lock = lock_folder(Path(sys.argv[1]), "training")
print("held", flush=True)
sys.stdin.read()
"""


@needs_locks
def test_one_process_at_a_time_and_a_killed_one_frees_the_place(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match=r"run: another training is writing there; wait"):
            lock_folder(folder, "training")
    finally:
        other.kill()
        other.wait()
        other.stdin.close()
        other.stdout.close()
    with lock_folder(folder, "training") as lock:
        assert lock.resumed
        with pytest.raises(InputError, match="another training"):
            lock_folder(folder, "training")
    assert list(folder.iterdir()) == []
    with lock_folder(folder, "training") as lock:
        assert not lock.resumed


@needs_locks
def test_a_lock_whose_file_was_removed_meanwhile_is_no_lock(tmp_path: Path) -> None:
    """The next owner opens the file, the one before removes it: the lock must be on a new file."""
    first = FileLock(tmp_path / "x", "busy")
    first.release()
    second = FileLock(tmp_path / "x", "busy")
    assert (tmp_path / "x").exists()
    with pytest.raises(InputError, match="busy"):
        FileLock(tmp_path / "x", "busy")
    second.release(keep=True)
    assert (tmp_path / "x").exists()
    second.release()
    assert (tmp_path / "x").exists()
