"""What is run on the pretend GPU, one part a process: ``python scenes.py PART [FAULT]``.

Prints one JSON object. ``FAULT`` plants a mistake that only a GPU would notice, by the name of a
key of ``FAULTS``: the run must then end in an error that names it, or overrun a budget.
"""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "src")]
warnings.simplefilter("ignore")  # the backend is registered by private means, and says so

import numpy as np
import torch
import torch.nn.functional as F
from pretend import COUNTS, DEVICE, Device, OnDevice, place

torch.set_num_threads(1)

import sam2s.model.mask_decoder
import sam2s.tracking.frame_result
from sam2s.compat.automatic import SAM2AutomaticMaskGenerator
from sam2s.compat.image_predictor import SAM2ImagePredictor
from sam2s.compat.video_predictor import SAM2VideoPredictor
from sam2s.geometry import logits_to_source
from sam2s.memory.all_rules import RULES
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, FrameResult, Mask, Points
from sam2s.weights.load import load_model

SIDE = 64
Y, X = np.mgrid[:120, :160]


def frame(k: int) -> np.ndarray:
    """(H, W, 3) uint8: two discs that drift over stripes."""
    image = np.full((120, 160, 3), 60, np.uint8)
    image[..., 0] = (X // 2 + k) % 255
    image[((Y - 50 - k) ** 2 + (X - 60 - 2 * k) ** 2) < 300] = (230, 220, 40)
    image[((Y - 80) ** 2 + (X - 120 + 2 * k) ** 2) < 200] = (20, 220, 240)
    return image


def scene(tracker: Tracker, frames: int) -> Iterator[tuple[str, FrameResult]]:
    """Every kind of prompt, and what kind of frame each result is of."""
    first = {1: Points([[60, 50]], [1]), 2: Box([100, 60, 140, 100])}
    COUNTS.clear()
    yield "prompted", tracker.step(frame(0), first)
    for k in range(1, frames):
        COUNTS.clear()
        if k == 3:
            before = tracker.preview(frame(k), {1: Points([[66, 53]], [1])})
            clicks = Points([[66, 53], [10, 10]], [1, 0])
            yield "prompted", tracker.step(frame(k), {1: clicks}, before)
        elif k == 5:
            mask = Mask((Y - 80) ** 2 + (X - 110) ** 2 < 200)
            yield "prompted", tracker.step(frame(k), {3: mask})
        elif k == 7:
            tracker.remove(2)
            yield "after removal", tracker.step(frame(k))
        else:
            yield "tracked", tracker.step(frame(k))


def track(rule: str) -> dict[str, Any]:
    """A track under one memory rule, fp32 against the CPU's, and bf16 to its end."""
    frames = 10
    cpu = load_model("nano", device="cpu", image_size=SIDE)
    expected = [result for _, result in scene(Tracker(cpu, rule, precision="fp32"), frames)]
    model = place(load_model("nano", device="cpu", image_size=SIDE))
    syncs: dict[str, int] = {}
    where: dict[str, dict[str, int]] = {}
    launches, differing = 0, 0
    with Device():
        for (kind, result), wanted in zip(
            scene(Tracker(model, rule, precision="fp32"), frames), expected, strict=True
        ):
            count = sum(COUNTS.syncs.values())
            if count >= syncs.get(kind, 0):
                syncs[kind], where[kind] = count, dict(COUNTS.syncs)
            launches = max(launches, COUNTS.launches if kind == "tracked" else 0)
            differing += sum(int((result.masks[i] != m).sum()) for i, m in wanted.masks.items())
        for _ in scene(Tracker(model, rule, precision="bf16"), 4):
            pass
    return {"differing": differing, "syncs": syncs, "launches": launches, "where": where}


def few_frames() -> dict[str, Any]:
    """The first frames of a track: enough to meet a planted fault."""
    model = place(load_model("nano", device="cpu", image_size=SIDE))
    syncs: dict[str, int] = {}
    with Device():
        for kind, _ in scene(Tracker(model, "recent", precision="fp32"), 3):
            syncs[kind] = sum(COUNTS.syncs.values())
    return {"syncs": syncs}


def compat() -> dict[str, Any]:
    """Meta's predictors and mask generator by their names: image (points, box, mask), video, and
    everything in a picture."""
    cpu = load_model("nano", device="cpu", image_size=SIDE)
    model = place(load_model("nano", device="cpu", image_size=SIDE))
    differing = 0
    with Device(), tempfile.TemporaryDirectory() as folder:
        from PIL import Image

        for k in range(5):
            Image.fromarray(frame(k)).save(f"{folder}/{k:05d}.png")
        for on_cpu, on_device in zip(
            _image_calls(SAM2ImagePredictor(cpu, max_hole_area=8, max_sprinkle_area=8)),
            _image_calls(SAM2ImagePredictor(model, max_hole_area=8, max_sprinkle_area=8)),
            strict=True,
        ):
            differing += int((on_cpu != on_device).sum())
        for on_cpu, on_device in zip(
            _video_calls(SAM2VideoPredictor(cpu, **POSTPROCESSING), folder),
            _video_calls(SAM2VideoPredictor(model, **POSTPROCESSING), folder),
            strict=True,
        ):
            differing += int((on_cpu != on_device).sum())
        for on_cpu, on_device in zip(_everything(cpu), _everything(model), strict=True):
            differing += int((on_cpu != on_device).sum())
    return {"differing": differing}


POSTPROCESSING = {"fill_hole_area": 8, "non_overlap_masks": True}


def _everything(model: SAM2S) -> list[np.ndarray]:
    """With every step that the mask generator can take."""
    generator = SAM2AutomaticMaskGenerator(
        model,
        points_per_side=6,
        pred_iou_thresh=0.4,
        stability_score_thresh=0.5,
        crop_n_layers=1,
        min_mask_region_area=9,
        use_m2m=True,
    )
    found = [one["segmentation"] for one in generator.generate(frame(0))]
    assert found, "or nothing was compared"
    return found


def _image_calls(predictor: SAM2ImagePredictor) -> list[np.ndarray]:
    predictor.set_image(frame(0))
    points = {"point_coords": np.array([[60, 50]]), "point_labels": np.array([1])}
    masks, _, logits = predictor.predict(**points)
    found = [masks, predictor.predict(**points, mask_input=logits[:1], multimask_output=False)[0]]
    found.append(predictor.predict(box=np.array([100, 60, 140, 100]))[0])
    return found


def _video_calls(predictor: SAM2VideoPredictor, folder: str) -> list[np.ndarray]:
    state = predictor.init_state(folder)
    predictor.add_new_points_or_box(state, 0, 1, points=[[60, 50]], labels=[1])
    predictor.add_new_points_or_box(state, 0, 2, box=[100, 60, 140, 100])
    predictor.add_new_mask(state, 2, 3, (Y - 80) ** 2 + (X - 110) ** 2 < 200)
    both = [False, True]
    return [
        (logits > 0).cpu().numpy()
        for reverse in both
        for _, _, logits in predictor.propagate_in_video(state, reverse=reverse)
    ]


def train() -> dict[str, Any]:
    """A step of every kind of stage, two of them in bf16 too, the first loss against the CPU's; and
    how often Python waited for the device in each."""
    import fingerprint

    from sam2s.train.examples import Examples, generator
    from sam2s.train.figures import pass_figures
    from sam2s.train.learner import ClipLearner
    from sam2s.train.optim import MovingAverage, build_optimizer
    from sam2s.train.unroll import draw_script
    from sam2s.train.video_pool import open_pool

    with tempfile.TemporaryDirectory() as folder:
        config = fingerprint.training_config(fingerprint.squares(Path(folder) / "squares"))
        start = fingerprint.starting_model(config)
        head = fingerprint.build_dense_head(start)
        examples = Examples(open_pool(config.folders, progress=False), config)
        batches = [examples[step] for step in range(len(config.stages))]
    losses: dict[str, list[float]] = {}
    syncs: dict[str, dict[str, int]] = {}
    for precision in ("fp32", "bf16"):
        here = ClipLearner(deepcopy(start), config.memory, deepcopy(head)).train()
        there = place(deepcopy(here))
        with Device():
            # Both of its kinds of step.
            optim = replace(config.optim, kind="muon")
            optimizer = build_optimizer(there.model, optim, there.dense_head)
            average = MovingAverage(there.model, 0.99, 10)
        for step, (stage, batch) in enumerate(zip(config.stages, batches, strict=True)):
            if precision == "bf16" and stage.name not in ("click", "dense"):
                continue
            script = draw_script(stage.teaching.user, batch.frames, generator(3, step, purpose=3))
            cast = torch.autocast("gpu", torch.bfloat16) if precision == "bf16" else nullcontext()
            name = f"{precision} {stage.name}"
            with Device():
                COUNTS.clear()
                moved = batch.to(DEVICE)
                with cast:
                    found, answers = there(moved, stage, script, generator(3, step, 0, 2))
                found.total.backward()
                torch.nn.utils.clip_grad_norm_(there.parameters(), 0.1)
                optimizer.step()
                average.update(there.model)
                optimizer.zero_grad()
                pass_figures(moved, found, answers)
                syncs[name] = dict(COUNTS.syncs)
                losses[name] = [float(found.total.detach())]
            if name == "fp32 click":
                wanted, _ = here(batch, stage, script, generator(3, step, 0, 2))
                losses[name].append(float(wanted.total.detach()))
    return {"losses": losses, "syncs": syncs}


def _integer_resize() -> None:
    def logits(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        coarse = (values[:, None] > 0).to(torch.uint8)
        F.interpolate(coarse, size, mode="bilinear", antialias=True)
        return logits_to_source(values, size)

    sam2s.tracking.frame_result.logits_to_source = logits


def _integer_product() -> None:
    stability = sam2s.model.mask_decoder.stability

    def counted(logits: torch.Tensor) -> torch.Tensor:
        inside = (logits > 0).long().flatten(1)
        ones = torch.ones(inside.shape[1], 1, dtype=torch.long, device=logits.device)
        return stability(logits) + 0 * (inside @ ones)[:, 0]

    sam2s.model.mask_decoder.stability = counted


def _tensor_on_the_cpu() -> None:
    def logits(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return logits_to_source(values, size) + torch.zeros(size)

    sam2s.tracking.frame_result.logits_to_source = logits


def _numpy_without_cpu() -> None:
    def logits(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        values.numpy()
        return logits_to_source(values, size)

    sam2s.tracking.frame_result.logits_to_source = logits


def _item_in_the_decoder() -> None:
    forward = sam2s.model.mask_decoder.MaskDecoder.forward

    def looked_at(self: Any, features: Any, *rest: torch.Tensor) -> Any:
        assert features.stride16.abs().max().item() < 1e9
        return forward(self, features, *rest)

    sam2s.model.mask_decoder.MaskDecoder.forward = looked_at


def _upload_a_frame() -> None:
    def logits(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        return logits_to_source(values, size) + torch.tensor(0.0, device=values.device)

    sam2s.tracking.frame_result.logits_to_source = logits


FAULTS: dict[str, Callable[[], None]] = {
    "integer resize": _integer_resize,
    "integer product": _integer_product,
    "tensor on the CPU": _tensor_on_the_cpu,
    "numpy without cpu": _numpy_without_cpu,
    "item in the decoder": _item_in_the_decoder,
    "upload a frame": _upload_a_frame,
}


def main(part: str, fault: str | None = None) -> dict[str, Any]:
    """Run one part, with a planted fault where one is named."""
    assert isinstance(place(torch.nn.Linear(1, 1)).weight.data, OnDevice)
    if fault is not None:
        FAULTS[fault]()
    if part in RULES:
        return track(part)
    return {"few frames": few_frames, "compat": compat, "train": train}[part]()


if __name__ == "__main__":
    sys.path.append(str(HERE.parents[1] / "scripts"))
    print(json.dumps(main(*sys.argv[1:])))
