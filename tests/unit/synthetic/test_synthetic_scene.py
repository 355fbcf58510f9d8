"""Whole scenes and their folders."""

from __future__ import annotations

import hashlib
import inspect
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sam2s.errors import InputError
from sam2s.masklets.masklets import open_masklets
from sam2s.masklets.vocabulary import kind_of
from sam2s.synthetic import (
    HELD_OUT,
    PROCEDURES,
    TRAINING,
    SceneSpec,
    SurgicalScene,
    VideoSetSpec,
    long_term_spec,
    random_spec,
    synthesize,
    write_videos,
)
from sam2s.synthetic.spec import twins_spec
from sam2s.synthetic.write import video_seed

SMALL = SceneSpec(seed=11, procedure="cholecystectomy", frames=24, size=(64, 64))


def digest(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


# --------------------------------------------------------------------------- the contract


@pytest.mark.parametrize("procedure", list(PROCEDURES))
def test_every_procedure_renders_frames_and_masks_of_the_stated_form(procedure: str) -> None:
    scene = SurgicalScene(SceneSpec(seed=3, procedure=procedure, frames=9, size=(72, 96)))
    assert scene.objects
    seen = set()
    frames = 0
    for image, masks in scene.render():
        frames += 1
        assert image.shape == (72, 96, 3)
        assert image.dtype == np.uint8
        assert masks.keys() == scene.objects.keys()
        assert all(mask.shape == (72, 96) and mask.dtype == bool for mask in masks.values())
        assert np.sum(list(masks.values()), axis=0).max() <= 1, "masks are disjoint"
        seen |= {i for i, mask in masks.items() if mask.any()}
        assert image.std() > 5
    assert frames == 9
    assert seen
    for info in scene.objects.values():
        assert info.class_name is not None
        assert kind_of(info.class_name) == info.kind


def test_a_scene_follows_from_its_spec_alone_in_any_order() -> None:
    spec = replace(random_spec(8, "laryngoscopy", 12, (64, 80)), effects=2.0)
    np.random.seed(1)
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    first = list(SurgicalScene(spec).render())
    assert np.array_equal(state, np.random.get_state()[1])  # type: ignore[index]
    np.random.seed(2)
    other = SurgicalScene(spec)
    for t in (11, 0, 5):
        image, masks = other.frame(t)
        assert np.array_equal(image, first[t][0])
        assert all(np.array_equal(masks[i], first[t][1][i]) for i in masks)
    elsewhere = next(SurgicalScene(replace(spec, seed=9)).render())[0]
    assert not np.array_equal(elsewhere, first[0][0])


def test_rendering_is_lazy() -> None:
    scene = SurgicalScene(replace(SMALL, frames=100_000))
    frames = scene.render()
    assert inspect.isgenerator(frames)
    assert next(frames)[0].shape == (64, 64, 3)


def test_longer_videos_begin_alike_when_nothing_is_planned() -> None:
    """What is drawn for a frame does not depend on the frames after it, apart from planned
    events."""
    calm = replace(SMALL, absences=0.0, effects=0.0, cuts=0.0, motion=0.0)
    short, long = SurgicalScene(calm), SurgicalScene(replace(calm, frames=200))
    for t in (0, 10):
        assert np.array_equal(short.frame(t)[0], long.frame(t)[0])


# --------------------------------------------------------------------------- absences, look-alikes


def test_objects_are_gone_in_every_planned_absence_and_come_back() -> None:
    planned = returns = 0
    for seed, procedure in enumerate(
        ("prostatectomy", "colonoscopy", "cholecystectomy", "laryngoscopy", "myotomy")
    ):
        spec = SceneSpec(seed, procedure, 90, (64, 64), absence=(5, 30), absences=2.5, effects=0.0)
        scene = SurgicalScene(spec)
        masks = [m for _, m in scene.render()]
        for object_id, windows in scene.absences.items():
            for start, stop in windows:
                planned += 1
                assert 5 <= stop - start <= 30
                assert not any(masks[t][object_id].any() for t in range(start, stop)), (
                    procedure,
                    object_id,
                    start,
                )
                returns += any(masks[t][object_id].any() for t in range(stop, min(stop + 25, 90)))
    assert planned >= 8
    assert returns >= 0.6 * planned


def test_a_long_video_holds_absences_of_up_to_300_frames() -> None:
    lengths = []
    for seed in range(4):
        scene = SurgicalScene(
            SceneSpec(seed, "prostatectomy", 600, (64, 64), absence=(200, 300), absences=2.0)
        )
        lengths += [stop - start for windows in scene.absences.values() for start, stop in windows]
    assert lengths
    assert min(lengths) >= 200
    assert max(lengths) <= 300


def test_the_long_term_suite_is_long_and_hard() -> None:
    spec = long_term_spec(3, HELD_OUT, (64, 64))
    assert (spec.procedure, spec.frames, spec.absence, spec.lookalikes) == (
        HELD_OUT,
        600,
        (5, 300),
        1.0,
    )
    assert long_term_spec(3) == long_term_spec(3)
    assert long_term_spec(3) != long_term_spec(4)


def test_look_alikes_share_a_class() -> None:
    for seed in range(5):
        scene = SurgicalScene(
            SceneSpec(seed, "prostatectomy", 2, (64, 64), lookalikes=1.0, tools=(3, 3))
        )
        tools = Counter(o.class_name for o in scene.objects.values() if o.kind == "instrument")
        assert sum(tools.values()) == 3
        assert tools.most_common(1)[0][1] >= 2


def test_a_withdrawn_scope_empties_all_masks() -> None:
    for seed in range(60):
        scene = SurgicalScene(SceneSpec(seed, "colonoscopy", 80, (64, 64), effects=4.0))
        if scene._disturbances.away:
            break
    event = scene._disturbances.away[0]
    _, masks = scene.frame(min((event.start + event.stop) // 2, 79))
    assert not any(mask.any() for mask in masks.values())


# --------------------------------------------------------------------------- specs


def test_the_held_out_procedure_is_drawn_only_on_request(tmp_path: Path) -> None:
    assert HELD_OUT not in TRAINING
    assert {random_spec(seed).procedure for seed in range(60)} == set(TRAINING)
    assert random_spec(1, HELD_OUT).procedure == HELD_OUT
    wanted = VideoSetSpec(videos=7, frames=1, size=64, seed=0, split="test")
    names = synthesize(tmp_path, wanted, progress=False)
    assert [name.rsplit("_", 1)[0] for name in names] == list(PROCEDURES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"procedure": "dentistry"}, "dentistry.*cholecystectomy"),
        ({"seed": -1}, "seed"),
        ({"frames": 0}, "frames"),
        ({"size": (32, 64)}, "size"),
        ({"size": (64, 5000)}, "size"),
        ({"absence": (10, 5)}, "absence"),
        ({"fps": 0.0}, "fps"),
        ({"motion": -1.0}, "motion"),
        ({"tools": (3, 2)}, "tools"),
    ],
)
def test_a_spec_out_of_range_is_refused_in_one_line(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        replace(SMALL, **change)
    assert "\n" not in str(error.value)


# --------------------------------------------------------------------------- folders


def test_a_folder_holds_what_the_scenes_show(tmp_path: Path) -> None:
    specs = [SMALL, SceneSpec(4, "colonoscopy", 6, (64, 80), fps=10.0)]
    assert write_videos(tmp_path, specs, split="val", progress=False) == [
        "cholecystectomy_0000",
        "colonoscopy_0001",
    ]
    folder = open_masklets(tmp_path)
    for name, spec in zip(folder.videos, specs, strict=True):
        video, scene = folder.videos[name], SurgicalScene(spec)
        assert (video.info.source, video.info.procedure, video.info.split) == (
            "synthetic",
            spec.procedure,
            "val",
        )
        assert video.info.fps == spec.fps
        assert dict(video.info.objects) == dict(scene.objects)
        assert len(video.frame_names) == spec.frames
        for t, (image, masks) in enumerate(scene.render()):
            assert all(np.array_equal(video.mask(i, t), masks[i]) for i in masks)
            assert np.abs(video.image(t).astype(int) - image).mean() < 6


def test_workers_do_not_change_the_files_and_a_second_run_makes_nothing_again(
    tmp_path: Path,
) -> None:
    wanted = VideoSetSpec(videos=3, frames=3, size=64, seed=5)
    alone = synthesize(tmp_path / "one", wanted, progress=False, workers=1)
    together = synthesize(tmp_path / "two", wanted, progress=False, workers=2)
    assert alone == together
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "one").rglob("*.jpg")}
    more = synthesize(tmp_path / "one", replace(wanted, videos=4), progress=False)
    assert more[:3] == alone
    assert len(more) == 4
    assert all(p.stat().st_mtime_ns == stamp for p, stamp in stamps.items())


def test_workers_that_cannot_start_are_an_error_and_no_endless_wait(tmp_path: Path) -> None:
    """A program read from standard input is no file that new processes could import."""
    wanted = "VideoSetSpec(videos=2, frames=1, size=64, seed=1)"
    call = f"synthesize({str(tmp_path / 'a')!r}, {wanted}, workers=2)"
    program = f"from sam2s.synthetic import VideoSetSpec, synthesize\n{call}"
    run = subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 1
    assert "InputError: synth: a worker process died" in run.stderr
    assert not list((tmp_path / "a").iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_crash_left_is_made_again_and_what_is_not_ours_is_not_touched(
    tmp_path: Path, workers: int
) -> None:
    wanted = VideoSetSpec(videos=2, frames=2, size=64, seed=5)
    names = synthesize(tmp_path / "good", wanted, progress=False, workers=workers)
    broken = tmp_path / "broken"
    (broken / f".{names[0]}.part").mkdir(parents=True)
    (broken / "JPEGImages" / names[0]).mkdir(parents=True)
    synthesize(broken, wanted, progress=False, workers=workers)
    assert digest(broken) == digest(tmp_path / "good")
    assert not [p for p in broken.iterdir() if p.name.startswith(".")]

    theirs = tmp_path / "theirs" / "JPEGImages" / names[1] / "mine.jpg"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"x")
    with pytest.raises(InputError, match="move it away"):
        synthesize(tmp_path / "theirs", wanted, progress=False, workers=workers)
    assert theirs.read_bytes() == b"x"


def test_orders_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    wanted = VideoSetSpec(videos=1, frames=2, size=64, seed=0)
    for refused, workers, message in (
        (replace(wanted, videos=0), 1, "videos"),
        (wanted, 0, "workers"),
        (replace(wanted, procedure="x"), 1, "'x'"),
    ):
        with pytest.raises(InputError, match=message):
            synthesize(tmp_path / "out", refused, progress=False, workers=workers)
    assert not (tmp_path / "out").exists()


def test_sets_of_different_seeds_share_no_video() -> None:
    seeds = {video_seed(seed, index) for seed in range(30) for index in range(30)}
    assert len(seeds) == 900


@pytest.mark.parametrize("seed", range(6))
def test_twins_are_two_or_more_of_one_make(seed: int) -> None:
    scene = SurgicalScene(twins_spec(seed, "cholecystectomy", 4, (96, 96)))
    tools = [info for info in scene.objects.values() if info.kind == "instrument"]
    assert max(tools.count(info) for info in tools) >= 2
