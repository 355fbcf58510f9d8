"""Steps made of stills: their share, their script, what is tracked, and that nothing else
changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.clips.stills.animate import StillConfig
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.train.config import Clips, FolderSet, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.examples import Examples
from sam2s.train.losses import LossConfig
from sam2s.train.run import run_training
from sam2s.train.unroll import UserConfig
from sam2s.train.video_pool import VideoPool, open_pool

SIDE = 64
OBJECTS = {1: ObjectInfo("grasper", "instrument"), 2: ObjectInfo("polyp", "tissue")}
STAGE = Stage(
    name="s",
    schedule=Schedule(steps=40, lr=1e-3, lr_end=0.0),
    clips=Clips(
        size=SIDE,
        batch=2,
        sampler=ConsecutiveSampler(frames=4, max_stride=3, max_objects=2),
        diverse_sampler=DiverseSampler(recent=3),
        stills=1.0,
    ),
    teaching=Teaching(user=UserConfig(clicks=1), loss=LossConfig(stride=4)),
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve labelled pictures, each a video of one frame: a shaft from the left and a polyp."""
    root = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[:SIDE, :80]
    with MaskletWriter(root) as writer:
        for number in range(12):
            rng = np.random.default_rng(number)
            tool = (abs(y - rng.integers(16, 48)) < 5) & (x < rng.integers(20, 40))
            polyp = (
                (y - rng.integers(16, 48)) ** 2 + (x - rng.integers(50, 66)) ** 2 < 100
            ) & ~tool
            image = rng.integers(60, 110, (SIDE, 80, 3)).astype(np.uint8)
            image[tool], image[polyp] = (40, 60, 70), (220, 120, 110)
            writer.add_video(f"p{number}", VideoInfo("test", "test", "train", None, OBJECTS))
            writer.write(f"p{number}", "00000", image, {1: tool, 2: polyp})
    return root


@pytest.fixture(scope="module")
def pool(pictures: Path, squares: Path) -> VideoPool:
    """The pictures, and four dense videos of ten frames."""
    return open_pool([FolderSet(str(pictures)), FolderSet(str(squares))], progress=False)


def examples(pool: VideoPool, stage: Stage = STAGE, seed: int = 3, rank: int = 0) -> Examples:
    return Examples(pool, TrainConfig("t", "nano", (stage,), seed=seed), rank=rank)


def is_still(name: str) -> bool:
    return name.endswith("(still)")


def test_batches_of_stills(pool: VideoPool) -> None:
    made = examples(pool)
    for k in range(6):
        batch = made[k]
        assert all(is_still(clip.video) for clip in batch.clips)
        assert batch.images.shape == (2, 4, 3, SIDE, SIDE)
        assert batch.annotated.all()
        assert batch.masks[0].flatten(1).any(1).all()
        assert batch.rows == sum(len(clip.objects) for clip in batch.clips) == len(batch.classes)
        assert set(batch.classes) <= {"grasper", None}
        assert all(len(clip.objects) <= 2 for clip in batch.clips)
    assert str(made[0].clips[0]).startswith(made[0].clips[0].video)


def test_batches_repeat_and_differ_by_step_and_process(pool: VideoPool) -> None:
    one, two = examples(pool)[5], examples(pool)[5]
    assert one.clips == two.clips
    assert torch.equal(one.images, two.images)
    assert torch.equal(one.masks, two.masks)
    assert examples(pool)[6].clips != one.clips
    assert examples(pool, rank=1)[5].clips != one.clips


def test_the_share_of_stills_is_one_of_steps_and_the_same_on_all_processes(pool: VideoPool) -> None:
    sampler = ConsecutiveSampler(frames=2)
    stage = replace(
        STAGE,
        schedule=replace(STAGE.schedule, steps=150),
        clips=replace(STAGE.clips, stills=0.2, size=32, batch=1, sampler=sampler),
    )
    kinds = [
        [is_still(examples(pool, stage, rank=rank)[k].clips[0].video) for k in range(150)]
        for rank in (0, 1)
    ]
    assert kinds[0] == kinds[1]
    assert 18 <= sum(kinds[0]) <= 42


def test_blended_clips_draw_for_themselves(pool: VideoPool) -> None:
    clips = replace(
        STAGE.clips,
        stills=0.5,
        size=32,
        batch=8,
        sampler=ConsecutiveSampler(frames=2),
        blended=True,
    )
    made = examples(pool, replace(STAGE, clips=clips))
    shares = [np.mean([is_still(clip.video) for clip in made[k].clips]) for k in range(6)]
    assert 0.3 < np.mean(shares) < 0.7
    assert any(0 < share < 1 for share in shares)
    assert made[0].clips == examples(pool, replace(STAGE, clips=clips))[0].clips


def test_mixed_passes_draw_for_themselves(pool: VideoPool) -> None:
    sampler = ConsecutiveSampler(frames=2)
    stage = replace(
        STAGE,
        schedule=replace(STAGE.schedule, steps=60),
        clips=replace(STAGE.clips, stills=0.5, size=32, batch=1, sampler=sampler, mixed=True),
    )
    kinds = [
        [is_still(examples(pool, stage, rank=rank)[k].clips[0].video) for k in range(60)]
        for rank in (0, 1)
    ]
    both = [a != b for a, b in zip(*kinds, strict=True)]
    assert all(15 <= sum(of_rank) <= 45 for of_rank in kinds)
    assert 15 <= sum(both) <= 45


def test_steps_of_videos_are_the_same_with_and_without_stills(pool: VideoPool) -> None:
    with_stills, without = (
        examples(pool, replace(STAGE, clips=replace(STAGE.clips, stills=share, batch=1)))
        for share in (0.5, 0.0)
    )
    moving = [k for k in range(20) if not is_still(with_stills[k].clips[0].video)]
    assert 4 < len(moving) < 16
    for k in moving:
        assert with_stills[k].clips == without[k].clips
        assert torch.equal(with_stills[k].images, without[k].images)


def test_stills_take_the_frames_and_the_clock_of_divemems_sampler(pool: VideoPool) -> None:
    batch = examples(pool, replace(STAGE, clips=replace(STAGE.clips, diverse=1.0)))[0]
    assert batch.long_term == 2
    assert batch.frames == 6
    assert all(len(set(clip.times)) == 6 for clip in batch.clips)
    assert all(np.ptp(clip.frames) < StillConfig().length for clip in batch.clips)


def test_objects_are_absent_and_hidden_as_often_as_is_asked_for(pool: VideoPool) -> None:
    shares = []
    for absence in (0.0, 1.0):
        still = StillConfig(absence=absence, pasted=(1, 2))
        made = examples(
            pool,
            replace(
                STAGE,
                clips=replace(
                    STAGE.clips, still=still, sampler=ConsecutiveSampler(frames=6), size=48
                ),
            ),
        )
        gone = [
            bool((~batch.masks.flatten(2).any(2)).any()) for batch in (made[k] for k in range(25))
        ]
        shares.append(np.mean(gone))
    assert shares[0] < 0.45
    assert shares[1] > 0.85


def test_pasted_objects_are_tracked_too(pool: VideoPool) -> None:
    stage = replace(
        STAGE,
        clips=replace(
            STAGE.clips,
            still=StillConfig(pasted=(2, 2), visits=0.0),
            sampler=ConsecutiveSampler(4, max_objects=4),
        ),
    )
    objects = [max(clip.objects) for k in range(10) for clip in examples(pool, stage)[k].clips]
    assert sum(number > 2 for number in objects) > 10
    none = replace(stage, clips=replace(stage.clips, still=StillConfig(pasted=(0, 0), folds=0.0)))
    assert all(max(clip.objects) <= 2 for k in range(5) for clip in examples(pool, none)[k].clips)


def test_folds_come_from_other_pictures(pool: VideoPool) -> None:
    plain = replace(
        STAGE,
        clips=replace(
            STAGE.clips, still=StillConfig(pasted=(0, 0), folds=1.0, light=0.0, grain=0.0)
        ),
    )
    assert all(max(clip.objects) <= 2 for k in range(5) for clip in examples(pool, plain)[k].clips)


def test_no_stills_to_be_had_is_said_before_the_first_step(squares: Path) -> None:
    dense = open_pool([FolderSet(str(squares))], progress=False)
    with pytest.raises(InputError, match=r"no stills.*stages\.\*\.clips\.stills=0"):
        examples(dense)
    asked = open_pool([FolderSet(str(squares), stills=True)], progress=False)
    assert is_still(examples(asked)[0].clips[0].video)


def test_only_stills_cannot_make_videos(pictures: Path) -> None:
    only = open_pool([FolderSet(str(pictures))], progress=False)
    with pytest.raises(InputError, match="4 frames"):
        examples(only, replace(STAGE, clips=replace(STAGE.clips, stills=0.0)))[0]
    single = replace(
        STAGE, clips=replace(STAGE.clips, stills=0.0, sampler=ConsecutiveSampler(frames=1))
    )
    assert examples(only, single)[0].frames == 1


def test_objects_too_small_for_the_sampler_are_refused(pool: VideoPool) -> None:
    huge = replace(
        STAGE, clips=replace(STAGE.clips, sampler=ConsecutiveSampler(frames=4, min_area=0.9))
    )
    with pytest.raises(InputError, match=r"stills drawn shows an object of 90.00%"):
        examples(pool, huge)[0]


def test_a_run_on_stills_alone(pictures: Path, tmp_path: Path) -> None:
    stage = replace(
        STAGE,
        schedule=replace(STAGE.schedule, steps=1),
        clips=replace(STAGE.clips, batch=1, sampler=ConsecutiveSampler(frames=2)),
    )
    config = TrainConfig(
        "stills", "small for tests", (stage,), folders=(FolderSet(str(pictures)),), seed=1
    )
    assert (run_training(config, tmp_path / "run") / "model.safetensors").is_file()


def test_growths_are_tracked_under_ids_of_their_own(pool: VideoPool) -> None:
    """Without cut-outs, whatever has an id beyond the still's two objects is a growth."""
    still = StillConfig(pasted=(0, 0), folds=0.0, growths=(2, 2))
    sampler = ConsecutiveSampler(frames=2, max_objects=4, min_area=0.0)
    batches = [
        examples(pool, replace(STAGE, clips=replace(STAGE.clips, still=still, sampler=sampler)))[k]
        for k in range(4)
    ]
    ids = {object_id for batch in batches for clip in batch.clips for object_id in clip.objects}
    assert ids & {3, 4}
    assert all(batch.masks[0].flatten(1).any(1).all() for batch in batches)
    plain = examples(
        pool,
        replace(
            STAGE, clips=replace(STAGE.clips, still=replace(still, growths=(0, 0)), sampler=sampler)
        ),
    )
    assert {i for k in range(4) for clip in plain[k].clips for i in clip.objects} <= {1, 2}
