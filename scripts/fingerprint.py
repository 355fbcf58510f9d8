"""Hashes of what the product computes, to see that a change of structure changes nothing else.

    python scripts/fingerprint.py --save base.txt       # before
    python scripts/fingerprint.py --against base.txt    # after every step: exit code 1 and the
                                                        # names of what differs

The demo's masks, a track under each memory rule with every kind of prompt and correction, a
benchmark's scores, a converted source, loss and gradients of one training step of every kind of
stage. fp32 on one thread; the hashes hold for one machine and one torch, since matrix products
round differently elsewhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

import numpy as np
import torch
from PIL import Image

# Everything that a change of structure may move is imported here, and nowhere below.
from sam2s import Box, Frame, Mask, Points, Tracker, load_model
from sam2s.cli import main as sam2s_command
from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.clips.stills.animate import StillConfig
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.memory.all_rules import RULES
from sam2s.memory.diverse import Diverse
from sam2s.memory.recent import Recent
from sam2s.model.presets import SemanticConfig
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import Clips, FolderSet, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.dense import build_dense_head
from sam2s.train.examples import Examples, generator
from sam2s.train.initial_weights import starting_model
from sam2s.train.learner import ClipLearner
from sam2s.train.losses import LossConfig
from sam2s.train.unroll import UserConfig, draw_script
from sam2s.train.video_pool import open_pool

FRAMES, HEIGHT, WIDTH = 24, 120, 160
Digests = Iterator[tuple[str, str]]


def digest(value: Any) -> str:
    """16 hexadecimal digits for arrays, tensors, and plain values made of them."""
    seen = hashlib.sha256()
    _feed(seen, value)
    return seen.hexdigest()[:16]


def _feed(seen: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        seen.update(f"{value.dtype}{value.shape}".encode())
        seen.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            seen.update(f"{key}:".encode())
            _feed(seen, value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            _feed(seen, item)
    else:
        seen.update(repr(value).encode())


def picture(index: int) -> np.ndarray:
    """(H, W, 3) uint8: two discs that drift over a striped ground."""
    x = np.arange(WIDTH)[None]
    image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    image[..., 0] = (x // 2 + index) % 255
    image[disc(index, first=True)] = (230, 220, 40)
    image[disc(index, first=False)] = (20, 220, 240)
    return image


def disc(index: int, *, first: bool) -> np.ndarray:
    """(H, W) bool: where a disc is on frame ``index``."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    if first:
        return (y - 50 - index) ** 2 + (x - 60 - 2 * index) ** 2 < 300
    return (y - 80) ** 2 + (x - 120 + 2 * index) ** 2 < 200


def demo(folder: Path) -> Digests:
    """The masks and the scores that ``sam2s demo`` writes."""
    _run("demo", "--out", str(folder / "demo"))
    tracks = json.loads((folder / "demo" / "tracks.json").read_text())
    yield "demo masks", digest([[f["index"], f["objects"]] for f in tracks["frames"]])
    summary = json.loads((folder / "demo" / "summary.json").read_text())
    yield "demo scores", digest(_without_speed(summary))


def tracks(folder: Path) -> Digests:
    """Clicks, boxes, masks, previews, corrections, removal and late objects under every rule."""
    model = load_model("nano", device="cpu", image_size=96)
    for rule in sorted(RULES):
        yield f"track {rule}", digest(list(_track(Tracker(model, rule, precision="fp32"))))
    options = {"precision": "fp32", "exclusive": True}
    yield "track exclusive", digest(list(_track(Tracker(model, "diverse", **options))))
    constants = Diverse(Recent(stride=2), iou_threshold=0.3, long_term_pointers=True)
    yield "track constants", digest(list(_track(Tracker(model, constants, precision="fp32"))))
    forgetful = Recent(forget_on_correction=True)
    yield "track forgetting", digest(list(_track(Tracker(model, forgetful, precision="fp32"))))


def _track(tracker: Tracker) -> Iterator[Any]:
    for index in range(FRAMES):
        frame, prompts, prior = Frame(index, index / 25, picture(index)), None, None
        if index == 0:
            prompts = {1: Points([[60, 50]], [1]), 2: Box([108, 66, 132, 94])}
        elif index == 5:
            prior = tracker.preview(frame, {1: Points([[70, 55]], [1])})
            prompts = {1: Points([[70, 55], [10, 10]], [1, 0])}
        elif index == 9:
            prompts = {3: Mask(disc(index, first=False))}
        elif index == 13:
            tracker.remove(2)
        elif index == 16:
            box = Box([84, 58, 108, 82])
            prompts = {1: [box, Points([[92, 66]], [1])], 4: Points([[20, 20]], [1])}
        result = tracker.step(frame, prompts, prior)
        yield {i: (result.masks[i], result.logits[i]) for i in result.masks}
        yield result.presence, result.scores, result.classes, result.class_probs


def benchmark(folder: Path) -> Digests:
    """The scores of a benchmark on two synthetic videos, with floors."""
    data = folder / "data"
    _run("synth", str(data), "--videos", "2", "--frames", "12", "--size", "96", "--split", "test")
    yield "synthetic videos", digest(_tree(data))
    options = ["--json", str(folder / "b.json"), "--prompt", "1-click", "--floors"]
    _run("benchmark", str(data), *options)
    yield "benchmark", digest(_without_speed(json.loads((folder / "b.json").read_text())))


def convert(folder: Path) -> Digests:
    """Every file that the conversion of stills and of a video leaves behind."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        mask = np.zeros((64, 80), np.uint8)
        mask[10:30, 20:50] = 255
        mask[40:55, 5 : 15 + 5 * (name == "b")] = 255
        _picture(folder / "kvasir" / "images" / f"{name}.jpg", rng.integers(0, 255, (64, 80, 3)))
        _picture(folder / "kvasir" / "masks" / f"{name}.jpg", mask)
    for index in range(4):
        ids = np.zeros((64, 80), np.uint8)
        ids[10:30, 10 + 5 * index : 30 + 5 * index] = 1
        ids[40:60, 40:60] = 2
        video = folder / "own" / "op"
        _picture(video / "frames" / f"{index}.png", rng.integers(0, 255, (64, 80, 3)))
        _picture(video / "masks" / f"{index}.png", ids)
    grasper, tissue = {"class": "grasper", "kind": "instrument"}, {"class": None, "kind": "tissue"}
    (folder / "own" / "op" / "objects.json").write_text(json.dumps({"1": grasper, "2": tissue}))
    for source, place in (("kvasir-seg", "kvasir"), ("folder", "own")):
        _run("data", "convert", source, str(folder / place), str(folder / f"{place}-out"))
        yield f"converted {source}", digest(_tree(folder / f"{place}-out"))


def training(folder: Path) -> Digests:
    """Losses and gradients of one step of every kind of stage."""
    config = training_config(squares(folder / "squares"))
    start = starting_model(config)
    head = build_dense_head(start)
    examples = Examples(open_pool(config.folders, progress=False), config)
    for step, stage in enumerate(config.stages):
        learner = ClipLearner(start, config.memory, head).train()
        learner.zero_grad()
        batch = examples[step]
        script = draw_script(stage.teaching.user, batch.frames, generator(3, step, purpose=3))
        torch.manual_seed(step)
        losses, _ = learner(batch, stage, script, generator(3, step, 0, 2))
        losses.total.backward()
        gradients = {n: p.grad for n, p in learner.named_parameters() if p.grad is not None}
        yield f"training {stage.name}: loss", digest(losses.total)
        yield f"training {stage.name}: gradients", digest(gradients)


def training_config(root: Path) -> TrainConfig:
    click = UserConfig(mask=0, box=0, prompted=1, corrected=2, clicks=2)
    box = UserConfig(mask=0, box=1.0, clicks=1, centred=1.0)
    loss = LossConfig(focal=5.0, dice=5.0, spread=0.5, stride=4, dense=1.0)
    clips = Clips(size=64, batch=2, sampler=ConsecutiveSampler(frames=4, max_objects=2))
    kinds: list[tuple[str, Clips, Teaching]] = [
        ("click", clips, Teaching(user=click, loss=loss)),
        ("box", clips, Teaching(user=box, loss=loss)),
        ("mask", clips, Teaching(user=UserConfig(mask=1.0), loss=loss)),
        ("soft labels", clips, Teaching(user=click, loss=replace(loss, soften=SoftLabel()))),
        ("quiet encoder", clips, Teaching(user=click, loss=loss, encoder_gradient=0.1)),
        ("dense", clips, Teaching(user=click, loss=loss, encoder_only=True)),
        (
            "stills",
            replace(clips, stills=1.0, still=StillConfig()),
            Teaching(user=click, loss=loss),
        ),
    ]
    # Clips of several clocks, so that rows recall different frames.
    apart = DiverseSampler(long_term=1, recent=3, max_objects=2)
    far = replace(clips, diverse=1.0, diverse_sampler=apart)
    kinds.append(("far frames", far, Teaching(user=click, loss=loss)))
    schedule = Schedule(steps=1, lr=1e-3, lr_end=5e-4)
    stages = tuple(
        Stage(name=name, schedule=schedule, clips=seen, teaching=teaching)
        for name, seen, teaching in kinds
    )
    classes = SemanticConfig(("grasper", "scissors"), bank="orthogonal", width=16)
    folders = (FolderSet(str(root), stills=True),)
    return TrainConfig("tiny", "nano", stages, folders=folders, semantic=classes, seed=3)


def squares(root: Path) -> Path:
    """Two masklet videos of squares that slide over noise."""
    objects = {1: ObjectInfo("grasper", "instrument"), 2: ObjectInfo("polyp", "tissue")}
    with MaskletWriter(root) as writer:
        for number in range(2):
            rng = np.random.default_rng(number)
            name = f"squares{number}"
            writer.add_video(name, VideoInfo("synthetic", "test", "train", 25.0, objects))
            for t in range(10):
                image = rng.integers(0, 60, (64, 64, 3)).astype(np.uint8)
                masks = {1: np.zeros((64, 64), bool), 2: np.zeros((64, 64), bool)}
                masks[1][8:24, 4 + t : 18 + t] = True
                masks[2][40:54, 36 - t : 52 - t] = t < 7
                image[masks[1]], image[masks[2]] = (220, 80, 60), (60, 200, 220)
                writer.write(name, f"{t:05d}", image, masks)
    return root


def _run(*arguments: str) -> None:
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        code = sam2s_command(list(arguments))
    if code != 0:
        raise SystemExit(f"sam2s {' '.join(arguments)}: exit code {code}")


def _picture(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path, quality=95)


def _tree(folder: Path) -> dict[str, str]:
    """{file: hash of its content}, JSON compared as values."""
    return {
        path.relative_to(folder).as_posix(): digest(
            json.loads(path.read_text()) if path.suffix == ".json" else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _without_speed(value: Any) -> Any:
    """A report without what is no result: times, speeds, machine, versions, paths, and the form in
    which the memory rule is described."""
    left_out = ("second", "fps", "per_s", "provenance", "version", "time", "machine", "commit")
    left_out = (*left_out, "memory")
    if isinstance(value, dict):
        return {
            key: _without_speed(item)
            for key, item in value.items()
            if not any(word in str(key) for word in left_out)
        }
    return [_without_speed(item) for item in value] if isinstance(value, list) else value


PARTS: tuple[Callable[[Path], Digests], ...] = (tracks, training, convert, benchmark, demo)


def main() -> int:
    """Print the hashes; with ``--against``, what differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the hashes to FILE")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with these hashes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, str] = {}
    for part in PARTS:
        with tempfile.TemporaryDirectory() as folder:
            for name, value in part(Path(folder)):
                found[name] = value
                print(f"{value}  {name}", flush=True)
    if options.save is not None:
        options.save.write_text("".join(f"{value}  {name}\n" for name, value in found.items()))
    if options.against is None:
        return 0
    lines = options.against.read_text().splitlines()
    before = {name: value for value, name in (line.split("  ", 1) for line in lines)}
    differing = [n for n in {**before, **found} if before.get(n) != found.get(n)]
    print("\n".join(f"DIFFERS: {name}" for name in differing) or "all the same")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
