"""Does it compute on this card what it computes on the CPU? About a minute; exit code 1 if not.

    make gpu-check
    PYTHONPATH=src python scripts/gpu_check.py --device cuda:1    # the same without make

Every verb of the network, a track of 12 frames with every kind of prompt under each memory rule,
and training steps, on the card against the CPU: in fp32 with TF32 off, and in bf16. Needs torch,
NumPy, SciPy, Pillow and safetensors alone, and OpenCV for the training steps. Without a card the
same is run in small, CPU against CPU, which shows that the check itself works.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fingerprint import FRAMES, HEIGHT, WIDTH, disc, picture, squares, training_config
from torch import Tensor

from sam2s.devices import describe, pick_device, wants_bf16
from sam2s.geometry import image_to_model
from sam2s.memory.all_rules import RULES
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.tracker import Tracker
from sam2s.train.dense import build_dense_head
from sam2s.train.examples import Examples, generator
from sam2s.train.initial_weights import starting_model
from sam2s.train.learner import ClipLearner
from sam2s.train.unroll import draw_script
from sam2s.train.video_pool import open_pool
from sam2s.types import Box, Frame, MemoryBatch, Points, PromptBatch
from sam2s.types import Mask as GivenMask
from sam2s.weights.load import load_model

assert FRAMES >= 12
TRACK, FAST_FRAMES = 12, 28
VERB, TRACKED, GRAPHS, AHEAD, LOSS = "verb", "track", "graphs", "ahead", "training"
LIMITS = {
    (VERB, "fp32"): 1e-4,
    (VERB, "bf16"): 6e-2,
    (GRAPHS, "fp32"): 1e-4,
    (GRAPHS, "bf16"): 1e-4,
    (AHEAD, "fp32"): 1e-4,
    (AHEAD, "bf16"): 6e-2,
    (TRACKED, "fp32"): 2e-3,
    (TRACKED, "bf16"): 5e-2,
    (LOSS, "fp32"): 1e-3,
    (LOSS, "bf16"): 5e-2,
}
"""Largest difference allowed. Verbs: relative to the largest value. Graphs and
frames ahead: of logits, relative to the largest one, against the same device without. Tracks: share
of a mask's pixels, over all masks (1 - IoU). Training: relative, of the loss and of the gradient's
norm."""

SAME_CLICKS = ("mask", "dense")
"""Stages that bf16 can be compared on. Elsewhere the simulated user clicks on what is wrong, which
in bf16 may be another pixel, and the losses part ways."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    kind: str
    name: str
    precision: str
    difference: float

    @property
    def limit(self) -> float:
        """What the difference may be."""
        return LIMITS[self.kind, self.precision]

    @property
    def good(self) -> bool:
        """Whether the device computes what the CPU computes."""
        return self.difference <= self.limit  # false for NaN

    def __str__(self) -> str:
        verdict = "ok" if self.good else "DIFFERS"
        what = f"{self.kind} {self.name}"
        return f"{what:38s} {self.precision}  {self.difference:9.2e}  {self.limit:7.0e}  {verdict}"


def verbs(cpu: SAM2S, device: torch.device, precision: str) -> Iterator[Row]:
    """Each verb on the same inputs, so that no difference is carried on from one to the next."""
    there = deepcopy(cpu).to(device)
    size = cpu.image_size
    with torch.inference_mode():
        pictures = torch.cat([image_to_model(picture(k), size) for k in (0, 7)])
        features = cpu.encode(pictures)
        none = PromptBatch.none(2)
        click = PromptBatch(torch.full((2, 1, 2), size / 3), torch.ones(2, 1, dtype=torch.long))
        clicks = PromptBatch(
            torch.tensor([[[size / 3, size / 3], [9.0, 9.0]]]).expand(2, 2, 2),
            torch.tensor([[1, 0]]).expand(2, 2),
        )
        mask = torch.zeros(2, size, size)
        mask[:, size // 4 : size // 2, size // 4 : size // 2] = 1
        first = cpu.decode(cpu.recall(features, None), click)
        hard = torch.tensor([True, False])
        maps = cpu.memorize(features, first, binarize=hard)
        memory = MemoryBatch(
            maps=torch.stack([maps, maps.flip(0)], dim=1),
            slots=torch.tensor([[6, 0], [6, 1]]),
            map_mask=torch.tensor([[True, True], [True, False]]),
            pointers=torch.stack([first.pointer, first.pointer.flip(0)], dim=1),
            ages=torch.tensor([[3.0, 1.0], [2.0, 1.0]]),
            pointer_mask=torch.tensor([[True, True], [True, False]]),
        )
        recalled = cpu.recall(features, memory)
        calls: dict[str, Callable[[SAM2S, Callable[[Any], Any]], Any]] = {
            "encode": lambda m, to: m.encode(to(pictures)),
            "recall nothing": lambda m, to: m.recall(to(features), None),
            "recall": lambda m, to: m.recall(to(features), to(memory)),
            "decode, no prompt": lambda m, to: m.decode(to(recalled), to(none)),
            "decode, one click": lambda m, to: m.decode(to(recalled), to(click)),
            "decode, two clicks": lambda m, to: m.decode(to(recalled), to(clicks)),
            "choose": lambda m, to: m.choose(to(first), to(torch.tensor([1, 2]))),
            "adopt": lambda m, to: m.adopt(to(features), to(mask)),
            "memorize": lambda m, to: m.memorize(to(features), to(first), binarize=to(hard)),
        }
        for name, call in calls.items():
            expected = call(cpu, lambda value: value)
            with _cast(device, precision):
                found = call(there, lambda value: _moved(value, device))
            yield Row(VERB, name, precision, _difference(expected, found))


def tracks(cpu: SAM2S, device: torch.device, precision: str) -> Iterator[Row]:
    """Masks under every rule, against those of the CPU in fp32."""
    there = deepcopy(cpu).to(device)
    for rule in sorted(RULES):
        expected = _track(Tracker(cpu, rule, precision="fp32"))
        found = _track(Tracker(there, rule, precision=precision))
        inside = sum(int((a & b).sum()) for a, b in zip(expected, found, strict=True))
        either = sum(int((a | b).sum()) for a, b in zip(expected, found, strict=True))
        yield Row(TRACKED, rule, precision, 1 - inside / max(1, either))


def _track(tracker: Tracker) -> list[np.ndarray]:
    """Masks of all objects on all frames; clicks, a box, a preview that is corrected, a mask, an
    object that is removed, and reading back what was seen of every one."""
    masks: list[np.ndarray] = []
    for k in range(TRACK):
        prompts, prior = None, None
        if k == 0:
            prompts = {1: Points([[60, 50]], [1]), 2: Box([108, 66, 132, 94])}
        elif k == 4:
            prior = tracker.preview(picture(k), {1: Points([[68, 54]], [1])})
            prompts = {1: Points([[68, 54], [10, 10]], [1, 0])}
        elif k == 6:
            prompts = {3: GivenMask(disc(k, first=False))}
        elif k == 9:
            tracker.remove(2)
        result = tracker.step(picture(k), prompts, prior)
        masks += [result.masks[i] for i in sorted(result.masks)]
    return masks


def fast_paths(cpu: SAM2S, device: torch.device, precision: str) -> Iterator[Row]:
    """Graphs, and frames encoded ahead, against the plain way on the same device; long enough for
    memories to fill and their graphs to be recorded and replayed."""
    there = deepcopy(cpu).to(device)
    frames = [Frame(k, None, picture(k % FRAMES)) for k in range(FAST_FRAMES)]
    prompts = {1: Points([[60, 50]], [1]), 2: Box([108, 66, 132, 94])}
    for rule in ("recent", "diverse"):
        plain = Tracker(there, rule, precision=precision, graphs=False)
        wanted = _logits(plain, frames, prompts)
        graphs = Tracker(there, rule, precision=precision)
        found = _logits(graphs, frames, prompts)
        yield Row(GRAPHS, rule, precision, _difference(wanted, found))
        both = Tracker(there, rule, precision=precision)
        found = _logits(both, both.ahead(frames), prompts)
        yield Row(AHEAD, rule, precision, _difference(wanted, found))


def _logits(tracker: Tracker, frames: Iterable[Frame], prompts: dict[int, Any]) -> Tensor:
    results = [tracker.step(frame, prompts if frame.index == 0 else None) for frame in frames]
    return torch.stack([result.logits.tensor(i).cpu() for result in results for i in prompts])


def training(device: torch.device, precision: str) -> Iterator[Row]:
    """Loss and gradient of a step of every kind of stage."""
    with tempfile.TemporaryDirectory() as folder:
        config = training_config(squares(Path(folder) / "squares"))
        start = starting_model(config)
        head = build_dense_head(start)
        examples = Examples(open_pool(config.folders, progress=False), config)
        for step, stage in enumerate(config.stages):
            if precision == "bf16" and stage.name not in SAME_CLICKS:
                continue
            batch = examples[step]
            script = draw_script(stage.teaching.user, batch.frames, generator(3, step, purpose=3))
            norms = []
            for place, kind in ((torch.device("cpu"), "fp32"), (device, precision)):
                learner = ClipLearner(start, config.memory, head)
                learner = deepcopy(learner).to(place).train()
                torch.manual_seed(step)
                with _cast(place, kind):
                    losses, _ = learner(
                        batch.to(place), stage, script, generator(3, step, purpose=2)
                    )
                losses.total.backward()
                norm = torch.nn.utils.clip_grad_norm_(learner.parameters(), float("inf"))
                norms.append(torch.stack([losses.total.detach(), norm]).cpu().double())
            gap = ((norms[1] - norms[0]).abs() / norms[0].abs()).max()
            yield Row(LOSS, stage.name, precision, float(gap))


def _cast(device: torch.device, precision: str) -> Any:
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def _moved(value: Any, device: torch.device) -> Any:
    """A tensor, or a noun made of tensors, on the device."""
    if isinstance(value, Tensor):
        return value.to(device)
    parts = {spec.name: getattr(value, spec.name) for spec in fields(value)}
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    return replace(value, **{name: tensor.to(device) for name, tensor in tensors.items()})


def _difference(expected: Any, found: Any) -> float:
    """The largest difference of floating-point values, relative to the largest value of each."""
    if isinstance(expected, Tensor):
        if not expected.is_floating_point():
            return 0.0
        gap = (expected - found.cpu().float()).abs().max()
        return float(gap / expected.abs().max().clamp(min=1e-12))
    pairs = [(getattr(expected, f.name), getattr(found, f.name)) for f in fields(expected)]
    return max(_difference(a, b) for a, b in pairs if a is not None)


PARTS = ("verbs", "tracks", "fast", "training")


def run(device: torch.device, small: bool, parts: Sequence[str] = PARTS) -> list[Row]:
    """The comparisons of ``parts``, each printed as it is made."""
    warnings.simplefilter("ignore")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    cpu = load_model("nano", device="cpu", image_size=96 if small else None)
    cast = wants_bf16("auto", device) or device.type == "cpu"
    rows = []
    for precision in ("fp32", "bf16") if cast else ("fp32",):
        rows_of = {
            "verbs": verbs(cpu, device, precision),
            "tracks": tracks(cpu, device, precision),
            "fast": fast_paths(cpu, device, precision),
            "training": training(device, precision),
        }
        for part in parts:
            for row in rows_of[part]:
                rows.append(row)
                print(row, flush=True)
    if not cast:
        print(f"bf16: left out, {device} only emulates it, and auto precision does not choose it")
    return rows


def main(argv: list[str] | None = None) -> int:
    """Print the table and a verdict."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps, cpu")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this, repeatable")
    options = parser.parse_args(argv)
    device = pick_device(options.device)
    small = device.type == "cpu"
    if small:
        print("no card here: in small, CPU against CPU. With a card this compares it with the CPU,")
        print("at 256 px, in fp32 and, where the card computes it, bf16.")
    name = describe(device, bf16=False).removesuffix(", fp32")
    print(f"{name}, torch {torch.__version__}, frames of {WIDTH} x {HEIGHT}")
    print(f"{'what':38s} {'':4s}  {'differs by':>9s}  {'limit':>7s}")
    begun = time.perf_counter()
    rows = run(device, small, options.part or PARTS)
    bad = [row for row in rows if not row.good]
    print(f"{len(rows) - len(bad)} of {len(rows)} agree, {time.perf_counter() - begun:.0f} s")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
