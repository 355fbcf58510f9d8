"""The protocol end to end, with a tracker that follows colours."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from colours import ColourTracker, scene

from sam2s.benchmark.environment import machine
from sam2s.benchmark.evaluate import evaluate_folders
from sam2s.benchmark.floors import CarriedByFlow, HeldStill
from sam2s.benchmark.protocol import plan
from sam2s.benchmark.run_benchmark import (
    BenchmarkResult,
    EvaluatedModel,
    Options,
    open_model,
    run_benchmark,
)
from sam2s.benchmark.scoring_rules import BENCHMARK
from sam2s.errors import InputError
from sam2s.masklets.masklets import open_masklets
from sam2s.memory.recent import Recent
from sam2s.metrics import score_sequence
from small import SMALL, small_model
from tiny import build_tiny

QUIET = Options(progress=False)
ABOUT = {"name": "colour", "sha256": "0" * 64, "memory": {"rule": "none"}}


def run(folder: Path, tracker: ColourTracker, options: Options = QUIET) -> BenchmarkResult:
    return run_benchmark(folder, EvaluatedModel(tracker, ABOUT), options)


def test_plan_prompts_on_the_first_annotated_frame_in_view(folder: Path) -> None:
    videos = open_masklets(folder).videos
    first, second = plan(videos["moving"])
    assert (first.object_id, first.start, first.scored) == (1, 0, frozenset(range(1, 10)))
    assert (second.object_id, second.start, second.scored) == (2, 3, frozenset(range(4, 10)))
    (only,) = plan(videos["still"])
    assert (only.start, only.scored) == (2, frozenset({5, 9}))


def test_frames_prompts_and_previews_come_in_order(folder: Path, tracker: ColourTracker) -> None:
    run(folder, tracker)
    moving = [
        ("preview", 0, {1: 1}),
        ("preview", 0, {1: 2}),
        ("step", 0, {1: 3}),
        *[("step", i, {}) for i in (1, 2)],
        ("preview", 3, {2: 1}),
        ("preview", 3, {2: 2}),
        ("step", 3, {2: 3}),
        *[("step", i, {}) for i in range(4, 10)],
    ]
    still = [("preview", 2, {1: 1}), ("preview", 2, {1: 2}), ("step", 2, {1: 3})]
    still += [("step", i, {}) for i in range(3, 10)]
    assert tracker.calls == moving + still
    assert tracker.resets == 2


@pytest.mark.parametrize(
    ("prompt", "first"),
    [("1-click", {1: 1}), ("5-click", {1: 5}), ("box", {1: 0}), ("mask", {1: 0})],
)
def test_other_prompts(
    folder: Path, tracker: ColourTracker, prompt: str, first: dict[int, int]
) -> None:
    result = run(folder, tracker, replace(QUIET, prompt=prompt))
    assert next(given for what, _, given in tracker.calls if what == "step") == first
    assert result.board().mean is not None
    assert result.board().mean.j > 0.7


def test_scores_are_those_of_the_frames_after_the_prompt(
    folder: Path, tracker: ColourTracker
) -> None:
    result = run(folder, tracker)
    video = open_masklets(folder).videos["moving"]
    colour = tracker._like  # the tracker's masks on later frames follow from the picture alone
    red = video.image(0)[10, 8].astype(int)
    expected = score_sequence((colour(video.image(i), red, 1), scene(i)[1]) for i in range(1, 10))
    assert result.board().objects[0].score == expected
    assert expected is not None
    assert 0.5 < expected.j < 0.95


def test_absence_counts_as_davis_does(folder: Path, tracker: ColourTracker) -> None:
    """Object 2 leaves after frame 7; the tracker sees it gone, so frames 8 and 9 score 1."""
    result = run(folder, tracker, replace(QUIET, floors=True))
    by_method = {name: result.board(name).objects[1].score for name in result.methods}
    assert by_method["still"].j == pytest.approx(4 / 6)
    assert by_method["model"].j > 2 / 6 + 0.7 * 4 / 6
    assert by_method["model"].frames == 6


def test_subsets_split_a_source_by_kind_and_the_mean_is_over_them(
    folder: Path, tracker: ColourTracker
) -> None:
    board = run(folder, tracker).board()
    assert set(board.subsets) == {"alpha/instrument", "alpha/tissue", "beta"}
    assert set(board.sources) == {"alpha", "beta"}
    assert set(board.procedures) == {"colonoscopy", "myotomy"}
    assert board.mean.j == pytest.approx(np.mean([s.j for s in board.subsets.values()]))
    assert board.sources["alpha"].f == pytest.approx(
        np.mean([o.score.f for o in board.objects[:2]])
    )


def test_result_file_holds_scores_floors_and_provenance(
    folder: Path, tracker: ColourTracker, tmp_path: Path
) -> None:
    file = tmp_path / "result.json"
    result = run(folder, tracker, replace(QUIET, json=file, floors=True))
    stored = json.loads(file.read_text())
    assert stored == json.loads(json.dumps(result.to_json()))
    assert stored["model"]["sha256"] == "0" * 64
    assert set(stored["floors"]) == {"still", "flow"}
    assert stored["mean"]["jf"] == pytest.approx(100 * result.board().mean.jf, abs=1e-5)
    assert stored["objects"]["moving/002"]["first"] == 3
    assert stored["objects"]["moving/002"]["class"] == "polyp"
    assert stored["skipped"] == {"moving": [3]}
    assert stored["fps"] > 0
    assert stored["object_fps"] > stored["fps"]
    assert stored["provenance"]["packages"]["torch"]
    assert list(tmp_path.iterdir()) == [file]


def test_prompted_frames_are_reported_apart(folder: Path, tracker: ColourTracker) -> None:
    """Three clicks mend the mask on the prompted frame only, so it is better there than later."""
    result = run(folder, tracker)
    assert result.prompted.frames == 3
    assert result.prompted.j > result.board().mean.j + 0.05


def test_a_crash_keeps_finished_videos_and_the_run_resumes(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    options = replace(QUIET, json=file)
    with pytest.raises(RuntimeError, match="on purpose"):
        run(folder, ColourTracker(fail_at=(2, 6)), options)
    assert not file.exists()
    again = ColourTracker()
    resumed = run(folder, again, options)
    assert again.resets == 1
    assert {frame for _, frame, _ in again.calls} == set(range(2, 10))
    whole = run(folder, ColourTracker())
    assert resumed.board() == whole.board()
    assert list(tmp_path.iterdir()) == [file]


def test_a_line_cut_off_by_the_crash_is_run_again(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    with pytest.raises(RuntimeError):
        run(folder, ColourTracker(fail_at=(2, 6)), replace(QUIET, json=file))
    partial = tmp_path / "result.json.partial"
    partial.write_text(partial.read_text()[:-30])
    again = ColourTracker()
    run(folder, again, replace(QUIET, json=file))
    assert again.resets == 2


def test_videos_of_another_run_are_not_mixed_in(folder: Path, tmp_path: Path) -> None:
    options = replace(QUIET, json=tmp_path / "result.json")
    with pytest.raises(RuntimeError):
        run(folder, ColourTracker(fail_at=(2, 6)), options)
    with pytest.raises(InputError, match="another run"):
        run(folder, ColourTracker(), replace(options, prompt="box"))


def test_kept_masks_evaluate_to_the_same_scores(
    folder: Path, tracker: ColourTracker, tmp_path: Path
) -> None:
    result = run(folder, tracker, replace(QUIET, masks=tmp_path / "masks"))
    evaluation = evaluate_folders(tmp_path / "masks", folder, rules=BENCHMARK, progress=False)
    ours = {(o.video, o.object_id): o.score for o in result.board().objects}
    theirs = {
        (o.video, o.object_id): o.score for o in evaluation.board.objects if o.score is not None
    }
    assert ours == theirs
    assert evaluation.board.subsets == result.board().subsets


def test_one_video_of_many(folder: Path, tracker: ColourTracker) -> None:
    result = run(folder, tracker, replace(QUIET, videos=("still",)))
    assert [v.video for v in result.videos] == ["still"]
    with pytest.raises(InputError, match="no such video: nope; there are moving, still"):
        run(folder, tracker, replace(QUIET, videos=("nope",)))


def test_bad_requests(folder: Path, tracker: ColourTracker, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of 1-click"):
        run(folder, tracker, replace(QUIET, prompt="2-click"))
    with pytest.raises(InputError, match="no such folder"):
        run(tmp_path / "nowhere", tracker)
    with pytest.raises(InputError, match="does not exist"):
        run(folder, tracker, replace(QUIET, json=tmp_path / "missing" / "result.json"))


def test_without_opencv_floors_are_refused_before_the_first_video(
    folder: Path, tracker: ColourTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match="OpenCV"):
        run(folder, tracker, replace(QUIET, floors=True))
    assert tracker.calls == []


def test_progress_bar_counts_the_tracked_frames(
    folder: Path,
    tracker: ColourTracker,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sam2s.progress.EVERY", 1e-9)
    run(folder, tracker, replace(QUIET, progress=True))
    last = capsys.readouterr().err.splitlines()[-1]
    assert " 18/" in last
    assert "frame/s" in last


def test_floors_by_hand() -> None:
    """A textured picture shifted by (2, 3) pixels carries the mask along; the still floor does not
    move."""
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(0, 255, (40, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    mask = np.zeros(texture.shape[:2], bool)
    mask[60:100, 50:90] = True
    for floor, moves in ((HeldStill(), False), (CarriedByFlow(), True)):
        assert floor.advance(texture) == {}
        floor.add(1, mask)
        carried = floor.advance(np.roll(texture, (2, 3), axis=(0, 1)))[1]
        expected = np.roll(mask, (2, 3), axis=(0, 1)) if moves else mask
        assert carried.dtype == bool
        assert (carried != expected).sum() <= (30 if moves else 0)


def test_a_real_model_runs_under_both_memory_rules(folder: Path) -> None:
    model = build_tiny(config=replace(SMALL, memory=Recent()))
    scores = []
    for memory in (None, "recent", "diverse"):
        evaluated = open_model(model, memory=memory)
        result = run_benchmark(folder, evaluated, replace(QUIET, videos=("moving",)))
        again = run_benchmark(folder, evaluated, replace(QUIET, videos=("moving",)))
        assert result.board() == again.board()
        scores.append(result)
    assert len(scores[0].model["sha256"]) == 64
    assert scores[2].model["memory"]["rule"] == "diverse"
    assert scores[0].board() == scores[1].board()


def test_devices_are_named_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards on cards of one kind may share a folder, and a result says which kind it was."""
    assert open_model(small_model(), device="cpu").about["device"] == "cpu"
    monkeypatch.setattr("sam2s.benchmark.run_benchmark.kind_of", lambda device: f"kind of {device}")
    assert open_model(small_model(), device="cpu").about["device"] == "kind of cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"card {max(index, 1)}")
    assert machine()["gpu"] == "card 1, card 2"
