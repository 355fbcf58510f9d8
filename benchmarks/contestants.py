"""Three codes that track with SAM 2's network, held alike: uint8 RGB frames in memory in, masks at
source size on the host out.

All get the same weights: random ones, drawn once for our model and renamed for the others, with
the presence head set so that every object stays in view (an absent object is less work). Those of
others get their pictures resized and normalised on the device by one helper, which is quicker than
what either does itself. Meta's `sam2` comes from a checkout, without hydra and iopath, of which
building a model from its YAML needs nothing. It fills no holes in masks: that needs its CUDA
extension.
"""

from __future__ import annotations

import copy
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.errors import InputError
from sam2s.geometry import IMAGE_MEAN, IMAGE_STD
from sam2s.memory.policy import Policy
from sam2s.model.presets import preset
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Frame
from sam2s.weights.keymap import hf_config, ours_to_hf, ours_to_meta

HEIGHT, WIDTH = 480, 640
META_YAML = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}
EVEN_MASKS = {
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}
"""What Meta's own builder adds to its YAML."""

Masks = Any
"""(objects, height, width) bool on the host, or a dict of (height, width)."""


@dataclass(frozen=True)
class Setting:
    """What is tracked: a preset's network at an input size, and how many objects."""

    preset: str
    size: int
    objects: int
    device: torch.device

    def boxes(self) -> list[list[int]]:
        """A box for each object, x0 y0 x1 y1 in source pixels, all different."""
        corners = [(30 + 55 * (k % 10), 50 + 110 * (k // 10 % 3)) for k in range(self.objects)]
        return [[x, y, x + 60, y + 90] for x, y in corners]

    def cast(self) -> AbstractContextManager[Any]:
        """bf16 autocast on a card, nothing elsewhere: for the others; ours has its own."""
        on = self.device.type == "cuda"
        return torch.autocast("cuda", torch.bfloat16) if on else nullcontext()


def pictures(number: int = 16) -> list[np.ndarray]:
    """(480, 640, 3) uint8 each: smooth noise that moves to the right."""
    base = smooth_noise((HEIGHT, WIDTH))
    return [np.ascontiguousarray(np.roll(base, 3 * k, 1)) for k in range(number)]


def smooth_noise(size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 in which colours change over some eight pixels of a 640 x 480 picture."""
    noise = torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(0))
    smooth = F.interpolate(noise, size, mode="bicubic").clamp(0, 1) * 255
    base: np.ndarray = smooth[0].permute(1, 2, 0).byte().numpy()
    return base


@lru_cache(maxsize=1)
def shared_model(name: str, size: int) -> SAM2S:
    """A preset with random weights, on the CPU, under which every object is present."""
    torch.manual_seed(0)
    model = build_model(preset(name, image_size=size)).eval()
    head = model.mask_decoder.object_head.last
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(5.0)
    return model


@dataclass
class Film:
    """Pictures in a circle, numbered without end."""

    pictures: list[np.ndarray]
    _numbers: Iterator[int] = field(default_factory=count)

    def frames(self) -> Iterator[Frame]:
        """Where the last call stopped."""
        for k in self._numbers:
            yield Frame(k, None, self.pictures[k % len(self.pictures)])


Play = Callable[[int], Iterator[Masks]]
"""The masks of so many further frames, one by one. Play it to its end: autocast, where it is the
caller's to turn on, is on for all of them at once, so that weights are cast once."""


def ours_step(
    setting: Setting, model: SAM2S, rule: str | Policy[Any] | None, options: dict[str, Any]
) -> Play:
    """A live stream: one frame in, its masks out."""
    tracker, film = _tracker(setting, model, rule, options)
    return lambda number: (tracker.step(frame).masks for frame in islice(film.frames(), number))


def ours_ahead(
    setting: Setting, model: SAM2S, rule: str | Policy[Any] | None, options: dict[str, Any]
) -> Play:
    """A file: the next frames are known while one is tracked."""
    tracker, film = _tracker(setting, model, rule, options)

    def play(number: int) -> Iterator[Masks]:
        for frame in tracker.ahead(islice(film.frames(), number)):
            yield tracker.step(frame).masks

    return play


def _tracker(
    setting: Setting, model: SAM2S, rule: str | Policy[Any] | None, options: dict[str, Any]
) -> tuple[Tracker, Film]:
    """One that has its prompts."""
    tracker = Tracker(copy.deepcopy(model).to(setting.device), rule, **options)
    film = Film(pictures())
    prompts = {k + 1: Box(box) for k, box in enumerate(setting.boxes())}
    tracker.step(next(film.frames()), prompts)
    return tracker, film


def _prepared(picture: np.ndarray, size: int, device: torch.device) -> Tensor:
    """(3, size, size) float32 on the device: uploaded as uint8, then resized and normalised."""
    pixels = torch.from_numpy(picture).to(device).permute(2, 0, 1)[None].float()
    small = F.interpolate(pixels, (size, size), mode="bilinear", antialias=True)[0] / 255
    mean, std = (torch.tensor(x, device=device)[:, None, None] for x in (IMAGE_MEAN, IMAGE_STD))
    return (small - mean) / std


class _Video:
    """What Meta's predictor takes for a list of prepared pictures; each is prepared when its turn
    comes, as in a stream."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.pictures, self.size, self.device = pictures(), size, device

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> Tensor:
        return _prepared(self.pictures[index % len(self.pictures)], self.size, self.device)


def meta(setting: Setting, model: SAM2S, checkout: Path, *, compiled: bool = False) -> Play:
    """Meta's video predictor, which tracks object after object."""
    predictor = _meta_predictor(setting, checkout, compiled=compiled)
    predictor.load_state_dict(ours_to_meta(model.state_dict()))
    predictor = predictor.to(setting.device).eval()
    module = sys.modules[type(predictor).__module__]
    video = _Video(setting.size, setting.device)
    module.load_video_frames = lambda **_: (video, HEIGHT, WIDTH)
    module.tqdm = lambda items, **_: items
    with setting.cast():
        state = predictor.init_state("frames in memory")
        for k, box in enumerate(setting.boxes()):
            predictor.add_new_points_or_box(state, 0, k + 1, box=np.array(box, np.float32))
    answers = predictor.propagate_in_video(state)

    def play(number: int) -> Iterator[Masks]:
        with setting.cast():
            for _, _, logits in islice(answers, number):
                yield (logits > 0).cpu().numpy()

    return play


def _meta_predictor(setting: Setting, checkout: Path, *, compiled: bool) -> Any:
    import yaml

    if setting.preset not in META_YAML:
        raise InputError(f"Meta publishes {', '.join(META_YAML)}, no {setting.preset}")
    _stand_in_for_hydra()
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    path = checkout / f"sam2/configs/sam2.1/sam2.1_hiera_{META_YAML[setting.preset]}.yaml"
    config = yaml.safe_load(path.read_text())["model"]
    kind = "SAM2VideoPredictorVOS" if compiled else "SAM2VideoPredictor"
    config |= {
        "_target_": f"sam2.sam2_video_predictor.{kind}",
        "image_size": setting.size,
        "compile_image_encoder": compiled,
        "sam_mask_decoder_extra_args": EVEN_MASKS,
        "binarize_mask_from_pts_for_mem_enc": True,
    }
    for attention in ("self_attention", "cross_attention"):
        config["memory_attention"]["layer"][attention]["feat_sizes"] = [setting.size // 16] * 2
    return _instantiate(config)


def _stand_in_for_hydra() -> None:
    """Modules that sam2 imports, and of which nothing is needed."""
    for name in (
        "hydra", "hydra.core", "hydra.core.global_hydra",
        "iopath", "iopath.common", "iopath.common.file_io",
    ):  # fmt: skip
        sys.modules.setdefault(name, types.ModuleType(name))
    started = types.SimpleNamespace(is_initialized=lambda: True)
    hydra = types.SimpleNamespace(instance=lambda: started)
    vars(sys.modules["hydra"]).setdefault("initialize_config_module", lambda *_, **__: None)
    vars(sys.modules["hydra.core.global_hydra"]).setdefault("GlobalHydra", hydra)
    vars(sys.modules["iopath.common.file_io"]).setdefault("g_pathmgr", None)


def _instantiate(node: Any) -> Any:
    """What hydra makes of a YAML node: an object for a dict with ``_target_``."""
    if isinstance(node, list):
        return [_instantiate(value) for value in node]
    if isinstance(node, str) and node[:1].isdigit():
        return float(node)  # YAML 1.1 reads 1e-6 as text
    if not isinstance(node, dict):
        return node
    values = {key: _instantiate(value) for key, value in node.items()}
    if "_target_" not in values:
        return values
    module, name = values.pop("_target_").rsplit(".", 1)
    return getattr(importlib.import_module(module), name)(**values)


def transformers(setting: Setting, model: SAM2S) -> Play:
    """transformers' Sam2VideoModel, frame by frame (its streaming mode)."""
    from transformers import Sam2VideoConfig, Sam2VideoModel
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    size, device = setting.size, setting.device
    config = hf_config(preset(setting.preset, image_size=size))
    theirs = Sam2VideoModel(Sam2VideoConfig(**config)).eval()
    theirs.load_state_dict(ours_to_hf(model.state_dict()))
    theirs.to(device)
    session = Sam2VideoInferenceSession(
        video=None,
        video_height=HEIGHT,
        video_width=WIDTH,
        inference_device=device,
        video_storage_device=device,
        inference_state_device=device,
        dtype=torch.float32,
    )
    film = pictures()
    numbers = count(1)
    with torch.inference_mode(), setting.cast():
        session.add_new_frame(_prepared(film[0], size, device))
        scale = torch.tensor([size / WIDTH, size / HEIGHT], device=device)
        for k, box in enumerate(setting.boxes()):
            corners = torch.tensor(box, device=device).view(1, 1, 2, 2) * scale
            labels = torch.tensor([[[2, 3]]], dtype=torch.int32, device=device)
            index = session.obj_id_to_idx(k + 1)
            given = {"point_coords": corners, "point_labels": labels}
            session.add_point_inputs(index, 0, given)
        session.obj_with_new_inputs = [k + 1 for k in range(setting.objects)]
        theirs(inference_session=session, frame_idx=0)

    def play(number: int) -> Iterator[Masks]:
        with torch.inference_mode(), setting.cast():
            for k in islice(numbers, number):
                picture = _prepared(film[k % len(film)], size, device)
                logits = theirs(inference_session=session, frame=picture).pred_masks.float()
                logits = logits.view(setting.objects, 1, *logits.shape[-2:])
                yield (F.interpolate(logits, (HEIGHT, WIDTH), mode="bilinear") > 0).cpu().numpy()

    return play
