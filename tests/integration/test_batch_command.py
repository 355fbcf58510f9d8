"""``sam2s batch``: many videos, some of them bad, twice, and on a local Ray."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command_process import start, wait_for
from sam2s.commands import batch
from sam2s.commands.batch_worker import do_job
from sam2s.commands.job_table import read_jobs
from sam2s.export.tracks import read_tracks
from sam2s.export.video_file import write_video
from sam2s.sharing.claims import SharedFolder

PROMPTS = json.dumps([{"action": "click", "object": 1, "frame": 0, "x": 16, "y": 18}])


@pytest.fixture
def table(tmp_path: Path, video: Path, model_folder: Path) -> Path:
    """Two good jobs, and between them one whose video is none and one without prompts."""
    (tmp_path / "p.json").write_text(PROMPTS)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    options = f"--model {model_folder} --device cpu"
    rows = [
        f"{video},p.json,out/a,{options}",
        f"bad.mp4,p.json,out/bad,{options}",
        f"{video},,out/none,{options}",
        f'{video},,out/b,"{options} --click 2:40,20"',
    ]
    path = tmp_path / "jobs.csv"
    path.write_text("\n".join(["source,prompts,out,options", *rows, ""]))
    return path


class InThisProcess:
    """A pool whose work is done here: processes that import torch take seconds to start."""

    def __init__(self, count: int, kind: type, arguments: Sequence[Any]) -> None:
        self.worker = kind(*arguments[:2])

    def each(self, names: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any] | str]]:
        yield from ((name, self.worker.work(name)) for name in names)

    def stop(self) -> None:
        pass


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "ProcessPool", InThisProcess)


def frames(folder: Path) -> int:
    return len(read_tracks(folder / "tracks.json").frames)


@pytest.mark.usefixtures("here")
def test_a_failed_job_is_reported_and_the_others_are_done(sam2s, table: Path):
    said = sam2s(f"batch {table}")
    assert said.code == 2, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("1/4 out/a: done: 12 frames, ")
    assert lines[1].startswith("2/4 out/bad: failed: bad.mp4: ")
    assert lines[2].startswith("3/4 out/none: failed: nothing to track")
    head, *summary = [line.split() for line in lines[4:9]]
    assert head == ["out", "state", "frames", "objects", "frames/s", "note"]
    assert [row[:2] for row in summary] == [
        ["out/a", "done"],
        ["out/bad", "failed"],
        ["out/none", "failed"],
        ["out/b", "done"],
    ]
    assert summary[0][2:4] == ["12", "1"]
    assert lines[-1] == "2 of 4 jobs failed; give the same command to try them again"
    assert frames(table.parent / "out/a") == frames(table.parent / "out/b") == 12
    assert not list((table.parent / "jobs.csv.batch").glob("*.claim"))

    # The same command again tries what failed, and that alone.
    (table.parent / "p.json").write_text(PROMPTS)
    mended = table.read_text().replace(",,out/none", ",p.json,out/none")
    table.write_text(mended)
    stamp = (table.parent / "out/a/tracks.json").stat().st_mtime_ns
    said = sam2s(f"batch {table} --workers 2")
    assert said.code == 2
    assert "2 of 4 jobs are done already" in said.out
    assert "out/none: done: 12 frames" in said.out
    assert "by an earlier run" in said.out
    assert (table.parent / "out/a/tracks.json").stat().st_mtime_ns == stamp

    # New prompts are a new job; a result that is gone is made again.
    (table.parent / "p.json").write_text(PROMPTS.replace("16", "17"))
    shutil.rmtree(table.parent / "out/b")
    table.write_text("\n".join(row for row in mended.split("\n") if "bad" not in row))
    said = sam2s(f"batch {table}")
    assert said.code == 0
    assert "done already" not in said.out
    assert frames(table.parent / "out/b") == 12


@pytest.mark.usefixtures("here")
def test_a_job_that_another_worker_has_is_left_to_it(sam2s, table: Path):
    table.write_text("\n".join(table.read_text().split("\n")[:2]))
    (job,) = read_jobs(table)
    folder = table.with_name("jobs.csv.batch")
    folder.mkdir()
    shared = SharedFolder(folder)
    with shared.claim(job.name) as mine:
        assert mine
        said = sam2s(f"batch {table}")
        assert said.code == 0
        assert "out/a: elsewhere: another worker has it" in said.out
    assert do_job(job, shared).state == "done"
    assert do_job(job, shared).earlier


def test_ctrl_c_keeps_what_was_found_and_the_same_command_goes_on(
    sam2s, table: Path, monkeypatch: pytest.MonkeyPatch
):
    """In a terminal it reaches the workers as well."""
    folder = table.parent
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (150, 48, 64, 3), dtype=np.uint8)
    write_video(folder / "long.mkv", list(pictures), 25.0)
    head, good, bad, *_ = table.read_text().split("\n")
    long = ",".join(["long.mkv", "p.json", "out/long", good.rsplit(",", 1)[1]])
    table.write_text("\n".join([head, good, bad, long]))

    process = start("batch", table, "--workers", 2, start_new_session=True)
    for name in ("out/a", "out/bad"):
        (job,) = (one for one in read_jobs(table) if one.shown == name)
        wait_for(folder / f"jobs.csv.batch/{job.name}.json", 1, process)
    wait_for(folder / "out/long/.sam2s-part/tracks.json", 600, process)
    os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "sam2s: interrupted (SIGINT)\n")
    assert "out/bad: failed: bad.mp4: " in said
    assert said.endswith("1 of 3 jobs left; give the same command to go on\n")
    assert frames(folder / "out/a") == 12
    assert 0 < frames(folder / "out/long") < 150
    assert not list(table.with_name("jobs.csv.batch").glob("*.claim"))

    monkeypatch.setattr(batch, "ProcessPool", InThisProcess)
    again = sam2s(f"batch {table}")
    assert again.code == 2
    assert "1 of 3 jobs are done already" in again.out
    assert "out/long: done: 150 frames" in again.out


def test_a_wrong_table_is_one_line(sam2s, table: Path):
    table.write_text("video,out\na,b\n")
    said = sam2s(f"batch {table}")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "has a column 'video'; expected source, prompts, out, options" in said.err
    said = sam2s(f"batch {table} --workers 0")
    assert (said.code, said.err.count("\n")) == (2, 1)


@pytest.fixture
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray")
    paths = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH")]))
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        logging_level="error",
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}},
    )
    yield
    ray.shutdown()


# Ray leaves sockets and files to the garbage collector.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("cluster")
def test_on_a_local_ray(sam2s, table: Path):
    said = sam2s(f"batch {table} --ray auto --workers 2")
    assert said.code == 2, said.err
    assert frames(table.parent / "out/a") == frames(table.parent / "out/b") == 12
    assert "out/bad: failed: bad.mp4: " in said.out
    said = sam2s(f"batch {table} --ray auto --workers 2")
    assert "2 of 4 jobs are done already" in said.out
