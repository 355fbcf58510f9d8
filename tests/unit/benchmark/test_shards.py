"""Several workers, one result: the same as one worker's, whatever happens to them."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from colours import ColourTracker
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.benchmark.run_benchmark import EvaluatedModel, Options, run_benchmark
from sam2s.benchmark.shards import Shard, ShardProgress, run_shard
from sam2s.errors import InputError
from sam2s.sharing.claims import PATIENCE

ABOUT = {"name": "colour", "sha256": "0" * 64, "memory": {"rule": "none"}}
TIMED = ("fps", "object_fps", "provenance")
"""What no two runs share."""
WORKER = """
import sys, time
from pathlib import Path
from colours import ColourTracker
from sam2s.benchmark.run_benchmark import EvaluatedModel, Options
from sam2s.benchmark.shards import Shard, run_shard

class Stuck(ColourTracker):
    def step(self, frame, prompts=None, prior=None):
        if self.resets == 2 and frame.index == 5:
            print("stuck", flush=True)
            time.sleep(600)
        return super().step(frame, prompts, prior)

about = {"name": "colour", "sha256": "0" * 64, "memory": {"rule": "none"}}
options = Options(json=Path(sys.argv[2]), progress=False)
run_shard(sys.argv[1], EvaluatedModel(Stuck(), about), options, Shard())
"""


def work(
    folder: Path, file: Path, shard: str = "any", tracker: ColourTracker | None = None, **more: bool
) -> ShardProgress:
    evaluated = EvaluatedModel(tracker or ColourTracker(), ABOUT)
    return run_shard(
        folder, evaluated, Options(json=file, progress=False), Shard.parse(shard), **more
    )


def scores(file: Path) -> dict[str, object]:
    return {key: value for key, value in json.loads(file.read_text()).items() if key not in TIMED}


@pytest.fixture(scope="module")
def alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The result of one run."""
    file = tmp_path_factory.mktemp("alone") / "results.json"
    run_benchmark(
        folder, EvaluatedModel(ColourTracker(), ABOUT), Options(json=file, progress=False)
    )
    return scores(file)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.integers(0, 50), max_size=12),
    st.integers(1, 5),
)
def test_parts_hold_every_video_once_and_are_even(frames: dict[str, int], count: int) -> None:
    parts = [Shard(i + 1, count).pick(frames) for i in range(count)]
    assert sorted(name for part in parts for name in part) == sorted(frames)
    loads = [sum(frames[name] for name in part) for part in parts]
    assert max(loads) - min(loads) <= max(frames.values(), default=0)
    assert Shard().pick(frames) == tuple(frames)


def test_what_a_shard_can_be_called() -> None:
    assert Shard.parse("2/8") == Shard(2, 8)
    for text in ("0/2", "3/2", "2", "a/b", ""):
        with pytest.raises(InputError, match="expected i/n"):
            Shard.parse(text)


def test_the_last_shard_writes_the_result_of_one_run(
    folder: Path, tmp_path: Path, alone: dict[str, object]
) -> None:
    file = tmp_path / "results.json"
    first = work(folder, file, "1/2")
    assert (first.finished, first.videos, first.result) == (1, 2, None)
    assert not file.exists()
    second = work(folder, file, "2/2")
    assert second.result is not None
    assert scores(file) == alone
    shared = sorted(path.name for path in (tmp_path / "results.json.shards").iterdir())
    assert shared == ["moving.json", "run", "still.json"]
    late = ColourTracker()
    assert work(folder, file, "1/2", late).result is not None
    assert late.calls == []


def test_a_failed_video_leaves_its_claim_to_others(
    folder: Path, tmp_path: Path, alone: dict[str, object]
) -> None:
    file = tmp_path / "results.json"
    with pytest.raises(RuntimeError, match="on purpose"):
        work(folder, file, tracker=ColourTracker(fail_at=(2, 6)))
    other = ColourTracker()
    assert work(folder, file, tracker=other).result is not None
    assert other.resets == 1
    assert scores(file) == alone


def killed_worker(folder: Path, file: Path) -> None:
    """A process that finishes one video and dies in the middle of the next."""
    paths = os.pathsep.join(
        [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(file)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"stuck\n"
        process.kill()


def test_a_killed_worker_is_known_by_its_silence(
    folder: Path, tmp_path: Path, alone: dict[str, object]
) -> None:
    file = tmp_path / "results.json"
    killed_worker(folder, file)
    shared = tmp_path / "results.json.shards"
    assert sorted(path.name for path in shared.iterdir()) == ["moving.json", "run", "still.claim"]
    # Of another machine, where nobody here can see that it is gone.
    (shared / "still.claim").write_text("elsewhere-1-x")
    # Fresh enough to be alive: left alone.
    assert work(folder, file).finished == 1
    old = time.time() - PATIENCE - 60
    os.utime(shared / "still.claim", (old, old))
    assert work(folder, file).result is not None
    assert scores(file) == alone
    assert not list(shared.glob("*.claim*"))


def test_reclaim_does_not_wait(folder: Path, tmp_path: Path, alone: dict[str, object]) -> None:
    file = tmp_path / "results.json"
    work(folder, file, "1/2")
    (tmp_path / "results.json.shards" / "moving.claim").write_text("gone")
    assert work(folder, file).result is None
    assert work(folder, file, reclaim=True).result is not None
    assert scores(file) == alone


def test_another_run_is_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    work(folder, file, "1/2")
    options = Options(json=file, progress=False, prompt="1-click")
    with pytest.raises(InputError, match="another run"):
        run_shard(folder, EvaluatedModel(ColourTracker(), ABOUT), options, Shard())
    with pytest.raises(InputError, match="--json"):
        run_shard(
            folder, EvaluatedModel(ColourTracker(), ABOUT), replace(options, json=None), Shard()
        )
    with pytest.raises(InputError, match="does not exist"):
        work(folder, tmp_path / "no" / "results.json")


def test_a_damaged_file_is_named(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    work(folder, file, "1/2")
    for path in (tmp_path / "results.json.shards").glob("*.json"):
        path.write_text("{")
    with pytest.raises(InputError, match=r"still\.json: damaged"):
        work(folder, file, "2/2")
