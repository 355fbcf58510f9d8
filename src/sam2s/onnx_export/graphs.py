"""What is exported: four graphs over the network's verbs, with plain tensors in and out.

Rows (N, one an object) and the number of points may vary; the memory has `MAP_SLOTS` maps and
`POINTER_SLOTS` pointers, of which a mask says which are in use. A prompt of one click and one of
several (or a box) take different ways through the decoder, so each is a graph of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sam2s.model.sam2s import SAM2S
from sam2s.types import Features, MemoryBatch, PromptBatch

MAP_SLOTS = 10
"""Six recent maps, and four prompted or long-term ones."""
POINTER_SLOTS = 20
OUTPUTS = ("mask_logits", "iou", "object_logits", "pointer", "map")
FEATURES = ("stride16", "stride8", "stride4")
MEMORY = ("maps", "slots", "map_mask", "pointers", "ages", "pointer_mask")


class EncodeFrame(nn.Module):
    """Picture (1, 3, S, S) float32, ImageNet's mean and deviation removed -> features of strides
    16, 8 and 4."""

    def __init__(self, model: SAM2S) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``SAM2S.encode``."""
        features = self.model.encode(image)
        return features.stride16, features.stride8, features.stride4


class TrackRows(nn.Module):
    """N rows of a frame without prompts -> `OUTPUTS`: logits (N, 4h, 4w), predicted IoU (N,),
    object logits (N,), pointer (N, C) and map (N, C_m, h, w) to be remembered."""

    def __init__(self, model: SAM2S) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, stride16: Tensor, stride8: Tensor, stride4: Tensor, *memory: Tensor
    ) -> tuple[Tensor, ...]:
        """``SAM2S.recall``, ``decode`` and ``memorize``. ``memory``: `MEMORY`, as the fields of
        ``MemoryBatch``."""
        return _step(self.model, (stride16, stride8, stride4), memory, None)


class PromptRows(nn.Module):
    """N rows with points (clicks; a box is two of them) and a mask to be corrected, or with one
    click; the rest as for ``TrackRows``. What is remembered is the mask as it was seen."""

    def __init__(self, model: SAM2S, *, correcting: bool) -> None:
        super().__init__()
        self.model = model
        self.correcting = correcting

    def forward(
        self,
        stride16: Tensor,
        stride8: Tensor,
        stride4: Tensor,
        *rest: Tensor,
    ) -> tuple[Tensor, ...]:
        """``rest``: `MEMORY`, then coords (N, P, 2) in model pixels, labels (N, P) and, where masks
        are corrected, their logits (N, 4h, 4w)."""
        coords, labels, *prior = rest[len(MEMORY) :]
        prompts = PromptBatch(coords, labels, prior[0] if self.correcting else None)
        return _step(self.model, (stride16, stride8, stride4), rest[: len(MEMORY)], prompts)


def _step(
    model: SAM2S,
    levels: tuple[Tensor, Tensor, Tensor],
    memory: tuple[Tensor, ...],
    prompts: PromptBatch | None,
) -> tuple[Tensor, ...]:
    batch = MemoryBatch(**dict(zip(MEMORY, memory, strict=True)))  # type: ignore[arg-type]
    # Not len(): an export would take it for a constant.
    rows = batch.maps.shape[0]
    features = Features(*levels).expand(rows)
    clicked = torch.full((rows,), prompts is not None, device=batch.maps.device)
    if prompts is None:
        prompts = PromptBatch.none(rows, batch.maps.device)
    decoded = model.decode(model.recall(features, batch), prompts)
    remembered = model.memorize(features, decoded, binarize=clicked)
    return (
        decoded.mask_logits,
        decoded.iou,
        decoded.object_logits,
        decoded.pointer,
        remembered,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """One file: its module, an example of its inputs by name, and which of their axes vary."""

    name: str
    module: nn.Module
    example: dict[str, Tensor]
    axes: dict[str, dict[int, str]]
    outputs: tuple[str, ...]


def graphs_of(model: SAM2S) -> tuple[Graph, ...]:
    """The graphs of a model on the CPU, in the order in which a frame needs them."""
    config, side = model.config, model.image_size
    grid = side // 16
    with torch.no_grad():
        features = model.encode(torch.zeros(1, 3, side, side))
    levels = dict(
        zip(FEATURES, (features.stride16, features.stride8, features.stride4), strict=True)
    )
    rows = 2  # an example of one row would be taken for a constant
    memory = {
        "maps": torch.zeros(rows, MAP_SLOTS, config.memory_dim, grid, grid),
        "slots": torch.zeros(rows, MAP_SLOTS, dtype=torch.long),
        "map_mask": torch.ones(rows, MAP_SLOTS, dtype=torch.bool),
        "pointers": torch.zeros(rows, POINTER_SLOTS, config.dim),
        "ages": torch.ones(rows, POINTER_SLOTS),
        "pointer_mask": torch.ones(rows, POINTER_SLOTS, dtype=torch.bool),
    }
    varying: dict[str, dict[int, str]] = {name: {0: "rows"} for name in memory}
    prior = {"prior": torch.zeros(rows, 4 * grid, 4 * grid)}

    def prompted(name: str, points: int, *, correcting: bool) -> Graph:
        example = {
            **levels,
            **memory,
            "coords": torch.full((rows, points, 2), side / 2),
            "labels": torch.ones(rows, points, dtype=torch.long),
            **(prior if correcting else {}),
        }
        on_points = {0: "rows"} if points == 1 else {0: "rows", 1: "points"}
        axes = {**varying, "coords": on_points, "labels": on_points}
        axes |= {"prior": {0: "rows"}} if correcting else {}
        return Graph(name, PromptRows(model, correcting=correcting), example, axes, OUTPUTS)

    return (
        Graph("encode", EncodeFrame(model), {"image": torch.zeros(1, 3, side, side)}, {}, FEATURES),
        Graph("track", TrackRows(model), {**levels, **memory}, varying, OUTPUTS),
        prompted("click", 1, correcting=False),
        prompted("points", 3, correcting=False),
        prompted("correct_click", 1, correcting=True),
        prompted("correct_points", 3, correcting=True),
    )


def axes_of(graph: Graph) -> tuple[Any, ...]:
    """``graph.axes`` as ``torch.export`` wants them."""
    rows, points = torch.export.Dim("rows", min=1), torch.export.Dim("points", min=2)
    names = {"rows": rows, "points": points}
    return tuple(
        {axis: names[name] for axis, name in graph.axes.get(key, {}).items()}
        for key in graph.example
    )
