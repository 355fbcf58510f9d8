"""``sam2s track`` from end to end: files in, files out, and everything that can be wrong with what
was given."""

from __future__ import annotations

import json
import re
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

from sam2s.export.tracks import read_tracks
from sam2s.export.video_file import write_video
from sam2s.masklets.masks import read_binary_mask, read_index_mask
from sam2s.media.frames import open_frames
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Frame, FrameResult, Mask, Points
from sam2s.weights.load import load_model

FRAMES, HEIGHT, WIDTH = 12, 48, 64


@pytest.fixture
def picture_folder(video: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for frame in open_frames(video):
        Image.fromarray(frame.image).save(folder / f"img_{frame.index + 1}.png")
    return folder


def count_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


# ---------------------------------------------------------------- what comes out


def test_a_click_gives_masks_tracks_and_an_overlay(
    sam2s, video: Path, model_folder: Path, tmp_path: Path
):
    out = tmp_path / "out"
    said = sam2s(
        f"track {video} --click 1:16,18 --click 1:40,40,- --click 2:50,10 --out {out} --model"
        f" {model_folder} --overlay {out}/overlay.mp4 --device cpu"
    )
    assert said.code == 0, said.err
    assert said.err == ""
    assert re.search(r"12 frames, 2 objects, [\d.]+ frames/s", said.out)
    assert sorted(p.name for p in out.iterdir()) == ["Annotations", "overlay.mp4", "tracks.json"]
    assert all(
        str(path) in said.out
        for path in (out / "tracks.json", out / "overlay.mp4", out / "Annotations/op")
    )
    for object_id in ("001", "002"):
        names = sorted(p.name for p in (out / "Annotations" / "op" / object_id).iterdir())
        assert names == [f"{k:05d}.png" for k in range(FRAMES)]
    assert count_frames(out / "overlay.mp4") == FRAMES

    tracks = read_tracks(out / "tracks.json")
    assert tracks.complete
    assert (tracks.source.name, tracks.source.width, tracks.source.height) == (
        "op.mp4",
        WIDTH,
        HEIGHT,
    )
    assert tracks.run["model"] == model_folder.name
    assert tracks.run["clicks"] == ["1:16,18", "1:40,40,-", "2:50,10"]
    assert re.fullmatch("[0-9a-f]{64}", tracks.run["sha256"])
    assert str(tmp_path) not in (out / "tracks.json").read_text()

    model = load_model(model_folder, device="cpu")
    prompts = {0: {1: Points([[16, 18], [40, 40]], [1, 0]), 2: Points([[50, 10]], [1])}}
    expected = list(Tracker(model).run(open_frames(video), prompts))
    assert len(tracks.frames) == len(expected) == FRAMES
    for frame, result in zip(tracks.frames, expected, strict=True):
        assert (frame.index, frame.time) == (result.index, result.time)
        for object_id, mask in result.masks.items():
            stored = read_binary_mask(
                out / "Annotations" / "op" / f"{object_id:03d}" / f"{frame.index:05d}.png"
            )
            np.testing.assert_array_equal(stored, mask)
            np.testing.assert_array_equal(frame.objects[object_id].mask, mask)
            assert frame.objects[object_id].presence == pytest.approx(
                result.presence[object_id], abs=1e-6
            )
            assert frame.objects[object_id].score == pytest.approx(
                result.scores[object_id], abs=1e-6
            )


def test_a_folder_a_box_and_a_palette(
    sam2s, picture_folder: Path, model_folder: Path, tmp_path: Path
):
    out = tmp_path / "out"
    said = sam2s(
        f"track {picture_folder} --box 3:8,10,24,26 --out {out} --model {model_folder} --format"
        " davis --device cpu"
    )
    assert said.code == 0, said.err
    files = sorted((out / "Annotations" / "pictures").iterdir())
    assert {p.name for p in files} == {f"img_{k}.png" for k in range(1, FRAMES + 1)}
    model = load_model(model_folder, device="cpu")
    for result in Tracker(model).run(open_frames(picture_folder), {0: {3: Box([8, 10, 24, 26])}}):
        ids, has_palette = read_index_mask(
            out / "Annotations" / "pictures" / f"img_{result.index + 1}.png"
        )
        assert has_palette
        np.testing.assert_array_equal(ids, np.where(result.masks[3], 3, 0))


def test_a_mask_on_a_later_frame(sam2s, video: Path, model_folder: Path, tmp_path: Path):
    out, given = tmp_path / "out", np.zeros((HEIGHT, WIDTH), bool)
    given[15:31, 18:34] = True
    Image.fromarray(given).save(tmp_path / "mask.png")
    line = (
        f"track {video} --mask 7:{tmp_path}/mask.png --frame 5 --out {out} --model {model_folder}"
        " --memory recent"
    )
    assert sam2s(line + " --device cpu --precision fp32").code == 0
    tracks = read_tracks(out / "tracks.json")
    assert [frame.index for frame in tracks.frames] == list(range(5, FRAMES))
    assert tracks.run["memory"]["rule"] == "recent"
    assert tracks.run["masks"] == ["7"]
    np.testing.assert_array_equal(tracks.frames[0].objects[7].mask, given)
    model = load_model(model_folder, device="cpu")
    expected = list(Tracker(model, "recent").run(open_frames(video), {5: {7: Mask(given)}}))
    for frame, result in zip(tracks.frames, expected, strict=True):
        np.testing.assert_array_equal(frame.objects[7].mask, result.masks[7])


def test_another_run_replaces_the_first(sam2s, video: Path, model_folder: Path, tmp_path: Path):
    line = f"track {video} --out {tmp_path}/out --model {model_folder} --device cpu"
    assert sam2s(f"{line} --click 1:16,18 --click 2:40,40").code == 0
    assert sam2s(f"{line} --click 2:16,18").code == 0
    assert [p.name for p in (tmp_path / "out" / "Annotations" / "op").iterdir()] == ["002"]
    assert read_tracks(tmp_path / "out" / "tracks.json").run["clicks"] == ["2:16,18"]


# ---------------------------------------------------------------- what cannot be used


def sound_file(folder: Path) -> Path:
    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000))
    return folder / "sound.wav"


def text_file(folder: Path, name: str) -> Path:
    (folder / name).write_text("this is not what it says it is\n" * 50)
    return folder / name


def empty_file(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def empty_folder(folder: Path) -> Path:
    (folder / "none").mkdir()
    return folder / "none"


def huge_picture(folder: Path) -> Path:
    (folder / "huge").mkdir()
    Image.new("1", (9000, 9000)).save(folder / "huge" / "0.png")
    return folder / "huge"


def black_mask(folder: Path) -> Path:
    Image.new("L", (WIDTH, HEIGHT)).save(folder / "black.png")
    return folder / "black.png"


def small_mask(folder: Path) -> Path:
    Image.new("L", (WIDTH // 2, HEIGHT), 255).save(folder / "small.png")
    return folder / "small.png"


def a_file(folder: Path) -> Path:
    (folder / "taken").write_text("mine")
    return folder / "taken"


Case = tuple[Callable[[Path, Path], str], str]
SOURCES: dict[str, Case] = {
    "no such file": (lambda d, v: f"{d}/none.mp4", "no such file or folder"),
    "no video at all": (lambda d, v: f"{text_file(d, 'text.mp4')}", "not a video, or is damaged"),
    "an empty file": (lambda d, v: f"{empty_file(d)}", "cannot be opened as a video"),
    "sound only": (lambda d, v: f"{sound_file(d)}", "no video stream"),
    "an empty folder": (lambda d, v: f"{empty_folder(d)}", "no pictures in this folder"),
    "too many pixels": (lambda d, v: f"{huge_picture(d)}", "81.0 megapixel, the limit is 64"),
}
PROMPTS: dict[str, Case] = {
    "no prompt": (lambda d, v: "", "give at least one --click"),
    "a click outside": (lambda d, v: "--click 1:64,10", "outside the picture of 64x48"),
    "a click left of the picture": (lambda d, v: "--click 1:-1,10", "outside the picture"),
    "a box outside": (lambda d, v: "--box 1:5,5,80,20", "outside the picture"),
    "a box inside out": (lambda d, v: "--box 1:20,5,10,20", "right > left"),
    "a click that is none": (lambda d, v: "--click 640,400", "expected ID:X,Y"),
    "object 0": (lambda d, v: "--click 0:5,5", "from 1 to 999"),
    "an object that a palette cannot hold": (
        lambda d, v: "--click 300:5,5 --format davis",
        "do not fit a palette",
    ),
    "an empty mask": (lambda d, v: f"--mask 1:{black_mask(d)}", "black everywhere"),
    "a mask of another size": (
        lambda d, v: f"--mask 1:{small_mask(d)}",
        "the mask is 32x48, the picture 64x48",
    ),
    "a mask that is missing": (lambda d, v: f"--mask 1:{d}/none.png", "no such file"),
    "a mask that is no picture": (
        lambda d, v: f"--mask 1:{text_file(d, 'm.png')}",
        "not a readable picture",
    ),
    "a frame beyond the end": (
        lambda d, v: "--click 1:5,5 --frame 12",
        "--frame 12: op.mp4 ends before that frame",
    ),
    "a frame before the start": (lambda d, v: "--click 1:5,5 --frame -1", "counted from 0"),
}
SETTINGS: dict[str, Case] = {
    "unknown model": (lambda d, v: "--model nanoo", "unknown model; use nano, facebook/"),
    "no such weights": (lambda d, v: f"--model {d}/none.pt", "no such file"),
    "wrong weights": (
        lambda d, v: f"--model {text_file(d, 'w.safetensors')}",
        "damaged or not safetensors",
    ),
    "weights that run code": (
        lambda d, v: f"--model {text_file(d, 'w.pt')}",
        "w.pt: (refused|damaged)",
    ),
    "unknown device": (lambda d, v: "--device gpu7", "device gpu7: not usable here"),
    "an impossible size": (lambda d, v: "--image-size 100", "multiple of 32"),
    "an overlay that is no video": (lambda d, v: f"--overlay {d}/o.gif", "must end in"),
    "an overlay over the source": (lambda d, v: f"--overlay {v}", "would overwrite the source"),
}


def refused(said, words: str, out: Path) -> None:
    assert said.code == 2
    assert re.match(r"sam2s: .*" + words, said.err), said.err
    assert said.err.count("\n") == 1, "one line"
    assert said.out == ""
    assert not out.exists(), "nothing may be left behind"


@pytest.mark.parametrize("what", SOURCES)
def test_sources_that_cannot_be_used(
    sam2s, what: str, video: Path, model_folder: Path, tmp_path: Path
):
    make, words = SOURCES[what]
    out = tmp_path / "out"
    refused(
        sam2s(f"track {make(tmp_path, video)} --click 1:5,5 --out {out} --model {model_folder}"),
        words,
        out,
    )


@pytest.mark.parametrize("what", PROMPTS)
def test_prompts_that_cannot_be_used(
    sam2s, what: str, video: Path, model_folder: Path, tmp_path: Path
):
    make, words = PROMPTS[what]
    out = tmp_path / "out"
    line = (
        f"track {video} {make(tmp_path, video)} --out {out} --model {model_folder} --overlay"
        f" {out}/o.mp4"
    )
    refused(sam2s(line), words, out)


@pytest.mark.parametrize("what", SETTINGS)
def test_settings_that_cannot_be_used(
    sam2s, what: str, video: Path, model_folder: Path, tmp_path: Path
):
    make, words = SETTINGS[what]
    out, before = tmp_path / "out", video.read_bytes()
    given = make(tmp_path, video)
    model = "" if "--model" in given else f"--model {model_folder}"
    refused(sam2s(f"track {video} --click 1:5,5 --out {out} {model} {given}"), words, out)
    assert video.read_bytes() == before


def test_a_frame_beyond_the_end_of_a_folder(
    sam2s, picture_folder: Path, model_folder: Path, tmp_path: Path
):
    line = (
        f"track {picture_folder} --click 1:5,5 --frame 12 --out {tmp_path}/out --model"
        f" {model_folder}"
    )
    refused(
        sam2s(line),
        "--frame 12: pictures has 12 frames; give a number from 0 to 11",
        tmp_path / "out",
    )


def test_an_output_that_is_a_file(sam2s, video: Path, model_folder: Path, tmp_path: Path):
    said = sam2s(f"track {video} --click 1:5,5 --out {a_file(tmp_path)} --model {model_folder}")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_failing_run_leaves_the_earlier_results(
    sam2s, video: Path, model_folder: Path, tmp_path: Path
):
    line = f"track {video} --out {tmp_path}/out --model {model_folder} --device cpu"
    assert sam2s(f"{line} --click 1:16,18").code == 0
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert sam2s(f"{line} --click 1:500,18").code == 2
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before


# ---------------------------------------------------------------- what breaks on the way


@pytest.fixture
def cut_video(tmp_path: Path) -> Path:
    """An mp4 whose index is whole and whose pictures end halfway."""
    rng = np.random.default_rng(0)
    whole = tmp_path / "whole.mp4"
    write_video(
        whole, [rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(40)], 10.0
    )
    content = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 6 // 10])
    whole.unlink()
    return tmp_path / "cut.mp4"


def test_a_truncated_video_keeps_what_was_found(
    sam2s, cut_video: Path, model_folder: Path, tmp_path: Path
):
    out = tmp_path / "out"
    said = sam2s(
        f"track {cut_video} --click 1:16,18 --out {out} --model {model_folder} --overlay"
        f" {out}/overlay.mp4 --device cpu"
    )
    assert said.code == 3
    tracks = read_tracks(out / "tracks.json")
    kept = len(tracks.frames)
    assert 5 < kept < 40
    assert not tracks.complete
    assert tracks.broke_at is not None
    assert tracks.broke_at.index == kept
    assert re.match(rf"sam2s: cut.mp4: broken at frame {kept} \([\d.]+ s\)", said.err)
    assert said.err.count("\n") == 1
    assert f"{kept} frames, 1 object" in said.out
    assert len(list((out / "Annotations" / "cut" / "001").iterdir())) == kept
    assert count_frames(out / "overlay.mp4") == kept
    assert sorted(p.name for p in out.iterdir()) == ["Annotations", "overlay.mp4", "tracks.json"]


def test_a_break_before_the_prompted_frame_leaves_nothing(
    sam2s, cut_video: Path, model_folder: Path, tmp_path: Path
):
    said = sam2s(
        f"track {cut_video} --click 1:16,18 --frame 39 --out {tmp_path}/out --model {model_folder}"
    )
    assert said.code == 3
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.fixture
def stop_at_frame_5(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[BaseException], None]]:
    step = Tracker.step

    def arm(error: BaseException) -> None:
        def stopping(self, frame, *args, **options):
            if frame.index == 5:
                raise error
            return step(self, frame, *args, **options)

        monkeypatch.setattr(Tracker, "step", stopping)

    return arm


def test_an_interrupt_keeps_what_was_found(
    sam2s, stop_at_frame_5, video: Path, model_folder: Path, tmp_path: Path
):
    stop_at_frame_5(KeyboardInterrupt())
    said = sam2s(
        f"track {video} --click 1:16,18 --out {tmp_path}/out --model {model_folder} --device cpu"
    )
    assert said.code == 130
    assert said.err == "sam2s: interrupted\n"
    assert "5 frames, 1 object" in said.out
    content = json.loads((tmp_path / "out" / "tracks.json").read_text())
    assert (content["complete"], content["broke_at"]["index"], len(content["frames"])) == (
        False,
        5,
        5,
    )


def test_a_fault_of_ours_is_shown_and_leaves_nothing(
    sam2s, stop_at_frame_5, video: Path, model_folder: Path, tmp_path: Path
):
    stop_at_frame_5(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        sam2s(
            f"track {video} --click 1:16,18 --out {tmp_path}/out --model {model_folder} --overlay"
            f" {tmp_path}/o.mp4"
        )
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "o.mp4").exists()


def test_a_device_that_runs_out_of_memory_keeps_what_was_found(
    sam2s, video: Path, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    step, out = Tracker.step, tmp_path / "out"

    def fails_on_frame_5(tracker: Tracker, frame: Frame, *prompts: Any) -> FrameResult:
        observe = tracker._observe

        def observed(*args: Any) -> Any:
            if frame.index == 5:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return observe(*args)

        monkeypatch.setattr(tracker, "_observe", observed)
        return step(tracker, frame, *prompts)

    monkeypatch.setattr(Tracker, "step", fails_on_frame_5)
    said = sam2s(f"track {video} --out {out} --click 1:20,20 --model {model_folder} --device cpu")
    assert said.code == 2
    assert "frame 5, 1 object at 64 px: the device has no memory left; use a smaller" in said.err
    assert "frames/s on cpu, fp32" in said.out
    tracks = read_tracks(out / "tracks.json")
    assert (len(tracks.frames), tracks.complete) == (5, False)
