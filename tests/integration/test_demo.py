"""``sam2s demo``: the clip that comes with the package, tracked with nothing but what ``pip install
.`` brings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.commands import demo, demo_footage
from sam2s.errors import InputError
from sam2s.export.tracks import read_tracks
from sam2s.masklets.masks import decode_rle
from sam2s.media.frames import open_frames
from sam2s.typed_json import read_json

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def small_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small clip in place of the packaged one, made by its script."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import make_demo_clip

    monkeypatch.setattr(demo_footage, "FRAMES", 20)
    monkeypatch.setattr(demo_footage, "SIZE", (96, 128))
    make_demo_clip.main(tmp_path / "clip")
    monkeypatch.setattr(demo_footage, "CLIP", tmp_path / "clip")
    return tmp_path / "clip"


def test_the_packaged_clip_is_whole():
    assert sum(path.stat().st_size for path in demo_footage.CLIP.iterdir()) < 600_000
    truth = read_json(demo_footage.CLIP / "truth.json", demo_footage.ClipTruth)
    with open_frames(demo_footage.CLIP / "scene.mp4") as source:
        assert source.size == demo_footage.SIZE
        first = next(iter(source)).image
        assert source.count == demo_footage.FRAMES
    assert {len(masks) for masks in truth.masks.values()} == {demo_footage.FRAMES}
    assert truth.start == 0
    grey = np.ptp(first.astype(int), axis=-1)
    for object_id in truth.names:
        mask = decode_rle(truth.masks[object_id][0])
        assert grey[mask].mean() < 0.5 * grey[~mask].mean(), "steel is grey and tissue red"


def test_the_demo_needs_no_extra(small_clip: Path, model_folder: Path, tmp_path: Path):
    """With ``pip install .`` alone: nothing of [synth], [train], [tsl], [lora] or [ray]."""
    code = f"""
import sys
for name in ("cv2", "matplotlib", "accelerate", "tensorboard", "transformers", "peft", "ray"):
    sys.modules[name] = None
from pathlib import Path
from sam2s import progress
from sam2s.cli import main
from sam2s.commands import demo_footage
progress.EVERY = 3600.0  # a slow machine says nothing either
demo_footage.CLIP = Path({str(small_clip)!r})
out = {str(tmp_path / "demo")!r}
assert main(["demo", "--out", out, "--model", {str(model_folder)!r}]) == 0
sys.exit(main(["demo", "--out", out, "--model", {str(model_folder)!r}, "--seed", "7"]))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 2, "drawing a new scene needs OpenCV"
    assert "pip install 'sam2s[synth]'" in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert (tmp_path / "demo" / "contact_sheet.png").exists()


def test_the_demo_draws_another_scene(
    sam2s, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(demo_footage, "FRAMES", 20)
    monkeypatch.setattr(demo_footage, "SIZE", (96, 128))
    said = sam2s(f"demo --out {tmp_path} --model {model_folder} --seed 7")
    assert (said.code, said.err) == (0, "")
    assert len(read_tracks(tmp_path / "tracks.json").frames) == 20


def test_the_demo_makes_what_it_promises(
    sam2s, small_clip: Path, model_folder: Path, tmp_path: Path
):
    out = tmp_path / "demo"
    said = sam2s(f"demo --out {out} --model {model_folder}")
    assert (said.code, said.err) == (0, "")
    made = {
        "scene.mp4",
        "overlay.mp4",
        "tracks.json",
        "summary.json",
        "contact_sheet.png",
        "Annotations",
    }
    assert {p.name for p in out.iterdir()} == made
    assert all(str(out / name) in said.out for name in made - {"Annotations"})
    assert str(out / "Annotations" / "scene") in said.out
    summary = json.loads((out / "summary.json").read_text())
    tracks = read_tracks(out / "tracks.json")
    assert summary["frames"] == len(tracks.frames) > 0
    assert summary["fps"] > 0
    assert set(summary["objects"]) == {"1", "2"} == {str(i) for i in tracks.frames[0].objects}
    assert summary["jf_mean"] == pytest.approx(
        np.mean([o["jf"] for o in summary["objects"].values()]), abs=0.02
    )
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.size == (3 * 128, 2 * 96)


def test_the_demo_scores_against_the_truth(
    sam2s, small_clip: Path, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A tracker that gives the true masks must reach 100, whatever the model is."""
    truth = read_json(small_clip / "truth.json", demo_footage.ClipTruth)

    class Cheat(demo.Tracker):
        def step(self, frame, *args, **options):
            result = super().step(frame, *args, **options)
            masks = {i: decode_rle(every[frame.index]) for i, every in truth.masks.items()}
            return replace(result, masks=masks)

    monkeypatch.setattr(demo, "Tracker", Cheat)
    assert sam2s(f"demo --out {tmp_path / 'out'} --model {model_folder}").code == 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["jf_mean"] == 100


def test_a_scene_without_two_instruments_is_refused():
    masks = [{3: np.ones((8, 8), bool), 4: np.zeros((8, 8), bool)}]
    with pytest.raises(InputError, match="never shows 2 instruments"):
        demo_footage._choose(masks)
    assert demo_footage._choose([*masks, {4: np.ones((8, 8), bool), 5: np.tri(8, dtype=bool)}]) == (
        1,
        {1: 4, 2: 5},
    )
