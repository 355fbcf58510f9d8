"""Every rule, on frames and in a run of the benchmark."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colours import ColourTracker, paint, scene, square

from sam2s.benchmark.protocol import plan
from sam2s.benchmark.recorder import at_decoder
from sam2s.benchmark.run_benchmark import BenchmarkResult, EvaluatedModel, Options, run_benchmark
from sam2s.benchmark.scoring_rules import (
    BENCHMARK,
    DAVIS,
    EVERY_FRAME,
    ScoringRules,
    Shown,
    counted,
    frames_to_score,
    takes_part,
)
from sam2s.benchmark.timestamps import frame_times
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo, open_masklets

QUIET = Options(progress=False)
EVERYONE = [0, 2, 4, 5, 8]
OWN = [2, 4, 5]


@pytest.mark.parametrize(
    ("rules", "frames"),
    [
        (EVERY_FRAME, [2, 4, 5]),
        (BENCHMARK, [5]),
        (replace(EVERY_FRAME, skip_first="annotated"), [4, 5]),
        (replace(EVERY_FRAME, skip_last="object"), [2, 4]),
        (replace(EVERY_FRAME, skip_last="video"), [2, 4, 5]),
        (replace(EVERY_FRAME, unlabelled="absent"), [0, 2, 4, 5, 8]),
        (replace(EVERY_FRAME, unlabelled="absent", skip_last="video"), [0, 2, 4, 5]),
        (replace(EVERY_FRAME, unlabelled="absent", skip_last="object"), [0, 2, 4, 8]),
        (replace(BENCHMARK, unlabelled="absent"), [5, 8]),
        (DAVIS, [4, 5]),
    ],
)
def test_frames_to_score(rules: ScoringRules, frames: list[int]) -> None:
    assert frames_to_score(rules, OWN, 4, EVERYONE) == frames


def test_objects_never_seen_and_late_ones() -> None:
    assert frames_to_score(BENCHMARK, OWN, None, EVERYONE) == []
    assert frames_to_score(EVERY_FRAME, [], None, []) == []
    assert [takes_part(DAVIS, start, EVERYONE) for start in (0, 2, None)] == [True, False, False]
    assert takes_part(BENCHMARK, None, EVERYONE)


def test_what_counts_by_what_is_shown() -> None:
    frames = [
        (Shown(t == "o", g == "o"), i)
        for i, (t, g) in enumerate(zip("--o-o", "-o--o", strict=True))
    ]
    assert counted(EVERY_FRAME, frames) == [0, 1, 2, 3, 4]
    assert counted(replace(EVERY_FRAME, absent="skip"), frames) == [2, 4]
    assert counted(replace(EVERY_FRAME, unseen="skip"), frames) == [1, 2, 3, 4]
    assert (
        counted(replace(EVERY_FRAME, unseen="skip"), frames[:2]) == []
    )  # no frame shows the object
    assert counted(BENCHMARK, []) == []


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Object 1 on all of 8 frames; 2 from frame 3 on, annotated on every other frame, gone on frame
    7."""
    root = tmp_path_factory.mktemp("rules") / "data"
    with MaskletWriter(root) as writer:
        info = VideoInfo(
            "alpha", None, "test", 10.0, {1: ObjectInfo("hook"), 2: ObjectInfo("grasper")}
        )
        writer.add_video("video", info)
        for i in range(8):
            masks = {
                1: square(4, 2 + i),
                2: square(30, 10) if 3 <= i < 7 else np.zeros((48, 64), bool),
            }
            labelled = masks if i % 2 else {1: masks[1]}
            writer.write("video", f"{i:05d}", paint(masks), labelled)
    return root


def run(root: Path, rules: ScoringRules) -> BenchmarkResult:
    return run_benchmark(
        root, EvaluatedModel(ColourTracker(), {"name": "colour"}), replace(QUIET, rules=rules)
    )


def test_rules_decide_which_frames_a_run_scores(sparse: Path) -> None:
    def frames(rules: ScoringRules) -> list[int]:
        return [
            0 if o.score is None else o.score.frames for o in run(sparse, rules).board().objects
        ]

    assert frames(BENCHMARK) == [7, 2]  # object 2: frames 5 and 7
    assert frames(EVERY_FRAME) == [8, 4]
    assert frames(replace(BENCHMARK, absent="skip")) == [7, 1]
    assert frames(replace(BENCHMARK, unlabelled="absent")) == [7, 4]
    assert frames(replace(BENCHMARK, skip_last="video")) == [6, 1]
    assert frames(replace(EVERY_FRAME, unseen="skip")) == [8, 3]
    assert frames(DAVIS) == [6]


def test_frames_before_the_prompt_are_scored_with_an_empty_mask(sparse: Path) -> None:
    """Frame 1 is before object 2 and right, being empty; frame 3 is the prompted one."""
    every = run(sparse, EVERY_FRAME).board().objects[1].score
    later = run(sparse, replace(EVERY_FRAME, skip_first="annotated")).board().objects[1].score
    assert every is not None
    assert later is not None
    assert 4 * every.j == pytest.approx(3 * later.j + 1)


def test_frames_before_any_prompt_need_no_tracker(folder: Path) -> None:
    video = open_masklets(folder).videos["moving"]
    assert [t.start for t in plan(video, DAVIS)] == [0]
    result = run_benchmark(
        folder, EvaluatedModel(ColourTracker(), {}), replace(QUIET, rules=EVERY_FRAME, floors=True)
    )
    for method in result.methods:
        assert result.board(method).objects[1].score.frames == 10  # three before it appears
    assert result.videos[0].skipped == (3,)


def test_left_out_objects_are_named(folder: Path) -> None:
    result = run_benchmark(folder, EvaluatedModel(ColourTracker(), {}), replace(QUIET, rules=DAVIS))
    assert result.to_json()["skipped"] == {"moving": [2, 3]}


def test_means_by_unit(folder: Path) -> None:
    by_object = run(folder, BENCHMARK).board()
    scores = {(o.video, o.object_id): o.score.j for o in by_object.objects}
    moving = [scores["moving", 1], scores["moving", 2]]
    still = scores["still", 1]
    assert run(folder, replace(BENCHMARK, mean="all")).board().mean.j == pytest.approx(
        np.mean([*moving, still])
    )
    by_video = run(folder, replace(BENCHMARK, mean="all", unit="video")).board()
    assert by_video.mean.j == pytest.approx((np.mean(moving) + still) / 2)
    assert by_video.mean == by_object.mean_over_videos
    assert by_video.sources["alpha"].j == pytest.approx(np.mean(moving))


def test_a_run_tells_swaps_recovery_and_its_course(folder: Path) -> None:
    """Object 2 leaves after frame 7 and does not come back; the tracker follows colours, so nothing
    is swapped."""
    result = run(folder, BENCHMARK)
    one, two = result.board().objects[:2]
    assert (one.behaviour.frames, one.behaviour.absent, one.behaviour.swaps) == (9, 0, 0)
    assert (two.behaviour.frames, two.behaviour.absent, two.behaviour.false_present) == (6, 2, 0)
    assert two.behaviour.returns == ()
    assert sum(score.frames for score in one.course.bins.values()) == 9
    assert one.calibration is None
    details = result.to_json()["details"]
    assert set(details) == {"all", "alpha/instrument", "alpha/tissue", "beta"}
    assert details["all"]["frames"] == 17
    assert details["all"]["reliability"] is None


class Swapper(ColourTracker):
    """Gives object 1 the mask of object 2 once that is there, and an empty one where it is not; has
    logits."""

    def step(self, frame, prompts=None, prior=None):
        result = super().step(frame, prompts, prior)
        masks = dict(result.masks)
        if 2 in masks and masks[2].any():
            masks[1] = masks[2]
        logits = {
            i: np.where(mask[::2, ::2], 2.0, -2.0).astype(np.float32) for i, mask in masks.items()
        }
        return replace(result, masks=masks, logits=logits)


def test_a_swap_is_seen_and_logits_are_calibrated(folder: Path) -> None:
    assert scene(5)[2].any()
    result = run_benchmark(
        folder, EvaluatedModel(Swapper(), {}), replace(QUIET, videos=("moving",))
    )
    one, two = result.board().objects
    assert (one.behaviour.swaps, one.behaviour.on_other) == (1, 5)  # frames 3 to 7
    assert two.behaviour.swaps == 0
    assert one.calibration.every.pixels > one.calibration.found.pixels > 0
    details = result.to_json()["details"]["all"]
    assert 0 < details["ece_found"] < details["ece"] < 100
    assert sum(details["reliability"]["every"]["pixels"]) == result.board().calibration.every.pixels
    assert (
        run_benchmark(
            folder, EvaluatedModel(Swapper(), {}), replace(QUIET, videos=("moving",))
        ).board()
        == result.board()
    )


def test_a_resumed_run_has_the_same_details(folder: Path, tmp_path: Path) -> None:
    options = replace(QUIET, json=tmp_path / "result.json")
    with pytest.raises(RuntimeError, match="on purpose"):
        run_benchmark(folder, EvaluatedModel(Swapper(fail_at=(2, 6)), {}), options)
    resumed = run_benchmark(folder, EvaluatedModel(Swapper(), {}), options)
    whole = run_benchmark(folder, EvaluatedModel(Swapper(), {}), QUIET)
    assert resumed.board() == whole.board()
    assert resumed.to_json()["details"] == whole.to_json()["details"]


def test_times_are_the_sources_own_else_by_the_frame_rate(
    folder: Path, sparse: Path, tmp_path: Path
) -> None:
    moving, still = open_masklets(folder).videos.values()
    assert frame_times(moving) == [i / 25 for i in range(10)]
    assert frame_times(still) == [None] * 12
    data = tmp_path / "data"
    shutil.copytree(sparse, data)
    frames = {f"{i:05d}": {"source_frame": 60 * i, "time_s": 1.5 * i} for i in range(7)}
    (data / "sources.json").write_text(
        json.dumps({"sources": {}, "videos": {"video": {"frames": frames}}})
    )
    (video,) = open_masklets(data).videos.values()
    assert frame_times(video) == [0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 9.0, None]
    (data / "sources.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        frame_times(video)


def test_masks_at_the_decoders_resolution() -> None:
    mask = np.zeros((8, 8), bool)
    mask[0:2, 0:2] = True  # a whole cell
    mask[0, 4:6] = True  # half a cell
    mask[4, 4] = True  # a quarter
    small = at_decoder(mask, (4, 4))
    assert small.dtype == bool
    assert np.argwhere(small).tolist() == [[0, 0], [0, 2]]
    read = (mask.astype(np.uint8) * 255).view(bool)  # as a one-bit picture comes out of Pillow
    assert np.array_equal(at_decoder(read, (4, 4)), small)


def test_decoder_cells_lie_where_upsampled_logits_are() -> None:
    """A mask cut from upsampled logits comes back as the logits' own cells, not shifted."""
    import torch

    from sam2s.geometry import logits_to_source

    rows, cols = np.mgrid[:32, :32]
    logits = (9.0 - np.hypot(rows - 12.3, (cols - 18.1) * 1.4)).astype(np.float32)
    mask = (logits_to_source(torch.from_numpy(logits)[None], (96, 160)) > 0)[0].numpy()
    small = at_decoder(mask, (32, 32))
    assert (small != (logits > 0)).sum() <= 4
