"""What is looked at before the first step: configuration, data, epochs, and the estimate of time
and memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2s.clips.clips import NOT_ANNOTATED, ConsecutiveSampler, VideoIndex
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.train.checks import Estimate, check_config, check_data, duration, estimate
from sam2s.train.config import Clips, FolderSet, RunConfig, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.losses import LossConfig
from sam2s.train.run import Listener, prepare, run_training
from sam2s.train.unroll import UserConfig
from sam2s.train.video_pool import annotated_frames, clips_per_epoch, open_pool, with_steps
from sam2s.weights.save import save_model
from small import small_model

STAGE = Stage(
    name="clips",
    schedule=Schedule(steps=2, lr=1e-3, lr_end=1e-3),
    clips=Clips(size=64, batch=1, sampler=ConsecutiveSampler(frames=3)),
    teaching=Teaching(loss=LossConfig(stride=4)),
)


def config_for(
    root: Path, model: Path | str = "small for tests", stage: Stage = STAGE
) -> TrainConfig:
    stage = replace(
        stage, teaching=replace(stage.teaching, user=UserConfig(prompted=1, corrected=1, clicks=1))
    )
    run = RunConfig(precision="fp32", log_every=1, checkpoint_minutes=0.0)
    return TrainConfig(
        "checked", str(model), (stage,), pretrained=True, folders=(FolderSet(str(root)),), run=run
    )


# --------------------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("clips", {"size": 100}, "stages.0.clips.size: got 100, expected a multiple of 32"),
        ("clips", {"size": 0}, "stages.0.clips.size"),
        ("schedule", {"steps": 0}, "stages.0.schedule.steps: got 0, expected 1 or more"),
        ("clips", {"batch": 0}, "stages.0.clips.batch: got 0"),
        ("clips", {"accumulate": 0}, "stages.0.clips.accumulate: got 0"),
        ("schedule", {"epochs": 0.0}, "stages.0.schedule.epochs: got 0.0, expected more than 0"),
    ],
)
def test_numbers_that_cannot_be_trained_by(part: str, change: dict, message: str) -> None:
    stage = replace(STAGE, **{part: replace(getattr(STAGE, part), **change)})
    with pytest.raises(InputError, match=message):
        check_config(config_for(Path("x"), stage=stage))


def test_the_rest_of_the_configuration() -> None:
    config = config_for(Path("x"))
    check_config(config)
    check_config(
        replace(
            config, stages=(replace(STAGE, schedule=replace(STAGE.schedule, steps=0, epochs=1.0)),)
        )
    )
    check_config(
        replace(config, stages=(STAGE, replace(STAGE, schedule=replace(STAGE.schedule, steps=0))))
    )  # a stage may be skipped
    with pytest.raises(InputError, match="at least one"):
        check_config(replace(config, stages=()))
    with pytest.raises(InputError, match="got 'half', expected bf16 or fp32"):
        check_config(replace(config, run=RunConfig(precision="half")))


# --------------------------------------------------------------------------- epochs


def index_of(*rows: str) -> VideoIndex:
    """One object a string: x in view, - not in view, ? not annotated."""
    numbers = {"x": 9, "-": 0, "?": NOT_ANNOTATED}
    areas = np.array([[numbers[c] for c in row] for row in rows])
    return VideoIndex("v", tuple(range(len(rows))), areas, 64)


def test_an_epoch_sees_every_labelled_frame_once() -> None:
    assert clips_per_epoch([8, 9, 1, 0], 8) == 1 + 2 + 1 + 1
    assert annotated_frames(index_of("x??-?", "??x-?")) == 3
    stage = replace(
        STAGE,
        schedule=replace(STAGE.schedule, steps=0, epochs=3.0),
        clips=replace(STAGE.clips, batch=2, accumulate=2, sampler=ConsecutiveSampler(frames=2)),
    )
    config = replace(config_for(Path("x")), stages=(stage, STAGE))
    filled = with_steps(config, [index_of("xxxxxxx"), index_of("x?-?x")], processes=2)
    # 4 + 2 clips an epoch, 18 in three, eight a step.
    assert [s.schedule.steps for s in filled.stages] == [3, STAGE.schedule.steps]
    assert filled.stages[0].schedule.epochs == 3.0
    assert with_steps(filled, [index_of("xxxxxxx"), index_of("x?-?x")], processes=2) == filled


def test_the_saved_configuration_has_epochs_and_steps_and_resumes(
    squares: Path, tmp_path: Path
) -> None:
    stage = replace(STAGE, schedule=replace(STAGE.schedule, steps=0, epochs=0.2))
    config = config_for(squares, save_model(small_model(), tmp_path / "start"), stage)
    run_training(config, tmp_path / "run")
    saved = (tmp_path / "run" / "config.json").read_text()
    assert '"epochs": 0.2' in saved
    assert '"steps": 4' in saved  # four videos of ten frames: 16 clips an epoch
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert state["step"] == 4
    run_training(
        config, tmp_path / "run", resume=True
    )  # steps follow again, so it is the same configuration


# --------------------------------------------------------------------------- data


def folder_of(root: Path, *rows: str, name: str = "one") -> Path:
    """One video; objects as in `index_of`, small squares in a picture of 64 x 48 pixels."""
    infos = {k + 1: ObjectInfo("grasper", "instrument") for k in range(len(rows))}
    with MaskletWriter(root) as writer:
        writer.add_video(name, VideoInfo(objects=infos))
        for frame in range(len(rows[0])):
            masks = {}
            for k, row in enumerate(rows):
                if row[frame] != "?":
                    masks[k + 1] = np.zeros((48, 64), bool)
                    masks[k + 1][8 * k : 8 * k + 8, :8] = row[frame] == "x"
            writer.write(name, f"{frame:03d}", np.full((48, 64, 3), 90, np.uint8), masks)
    return root


def findings(root: Path, stage: Stage = STAGE) -> list[str]:
    return check_data(
        open_pool([FolderSet(str(root))], progress=False), config_for(root, stage=stage)
    )


def test_what_is_told_of_the_data(tmp_path: Path) -> None:
    told = findings(folder_of(tmp_path, "xxxx-x", "xx??xx", "------"))
    assert told == [
        "data: 1 video, 6 frames of 64 x 48 pixels",
        (
            "masks: 16 of 3 objects, 7 of them empty (object out of view); 100 % of the frames are"
            " annotated"
        ),
        "objects by class: grasper (instrument) 3",
        "note: 1 object never in view: one/3",
        "stage clips: 2 steps of 1 x 3 frames at 64 pixels, from 1 of 1 video",
    ]


def test_sparse_labels_and_stills_are_told_of(tmp_path: Path) -> None:
    told = findings(
        folder_of(tmp_path / "sparse", "x????x????"),
        replace(STAGE, clips=replace(STAGE.clips, stills=0.2)),
    )
    assert "20 % of the frames are annotated" in told[1]
    assert told[-1].endswith("from 1 of 1 video, 20% of the clips made of stills")
    still = findings(
        folder_of(tmp_path / "still", "x"),
        replace(STAGE, clips=replace(STAGE.clips, sampler=ConsecutiveSampler(frames=1))),
    )
    assert "1 video, 1 of them still images, 1 frame of" in still[0]


def test_data_that_cannot_be_trained_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="every mask is empty"):
        findings(folder_of(tmp_path / "empty", "----"))
    with pytest.raises(InputError, match="stage clips: no video has 3 frames and an object"):
        findings(folder_of(tmp_path / "short", "xx"))
    with pytest.raises(
        InputError, match=r"no video has 3 frames and an object of 50\.00% of the picture"
    ):
        findings(
            folder_of(tmp_path / "tiny", "xxxx"),
            replace(
                STAGE,
                clips=replace(STAGE.clips, sampler=ConsecutiveSampler(frames=3, min_area=0.5)),
            ),
        )


def test_a_damaged_picture_is_found_before_the_first_step(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "xxxxx")
    pictures = sorted((root / "JPEGImages" / "one").iterdir())
    pictures[-1].write_bytes(pictures[-1].read_bytes()[:200])
    with pytest.raises(InputError, match=pictures[-1].name):
        findings(root)


# --------------------------------------------------------------------------- estimate


def test_the_estimate_is_measured_and_leaves_no_trace(squares: Path, tmp_path: Path) -> None:
    config = config_for(squares, save_model(small_model(), tmp_path / "start"))
    config = replace(
        config,
        stages=(
            replace(STAGE, schedule=replace(STAGE.schedule, steps=30)),
            replace(STAGE, schedule=replace(STAGE.schedule, steps=0)),
            replace(STAGE, schedule=replace(STAGE.schedule, steps=1)),
        ),
    )
    trainer = prepare(config, tmp_path, tmp_path)
    before = {name: t.clone() for name, t in trainer.running.model.state_dict().items()}
    found = estimate(trainer)
    assert 0.05 < found.seconds < 300
    assert 0.05 < found.gigabytes < 64
    assert str(found).startswith("estimate: about ")
    assert str(found).endswith("(cpu)")
    assert all(
        torch.equal(before[name], t) for name, t in trainer.running.model.state_dict().items()
    )
    assert not trainer.running.optimizer.state
    assert all(parameter.grad is None for parameter in trainer.running.model.parameters())


def test_a_run_is_the_same_with_and_without_an_estimate(squares: Path, tmp_path: Path) -> None:
    config = config_for(squares, save_model(small_model(), tmp_path / "start"))
    told: list[str] = []
    run_training(config, tmp_path / "told", listener=Listener(told.append))
    run_training(config, tmp_path / "silent")
    assert told[0].startswith("data: 4 videos, 40 frames")
    assert told[-1].startswith("estimate: about")
    one, two = (
        torch.load(tmp_path / n / "checkpoint.pt", weights_only=True)["model"]
        for n in ("told", "silent")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_dry_run_stops_after_the_estimate(squares: Path, tmp_path: Path) -> None:
    config = config_for(squares, save_model(small_model(), tmp_path / "start"))
    config = replace(config, run=replace(config.run, overlay_every=1))
    told: list[str] = []
    run_training(
        config,
        tmp_path / "dry",
        dry_run=True,
        listener=Listener(told.append, lambda: told.append("ready")),
    )
    assert told[-1].startswith("estimate")
    assert not (tmp_path / "dry").exists()
    run_training(config, tmp_path / "wet", listener=Listener(ready=lambda: told.append("ready")))
    assert told[-1] == "ready"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (100, "2 min"),
        (3540, "59 min"),
        (4800, "1 h 20 min"),
        (7260, "2 h 01 min"),
    ],
)
def test_durations_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
    assert (
        str(Estimate(seconds, 3.14, "cuda")) == f"estimate: about {words}, 3.1 GB of memory (cuda)"
    )
