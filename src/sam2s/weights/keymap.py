"""Foreign checkpoints under our names, and back: pure functions over dicts of tensors.

Translation is lenient: a tensor without a row in the table keeps its name, so that the strict check
of whoever loads it lists it as unexpected. Two tensors of the published checkpoints are dropped,
since SAM 2.1 never reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sam2s.errors import WeightsError
from sam2s.model.presets import PRESETS
from sam2s.types import CONDITIONING_SLOT
from sam2s.weights.hf_config import config_from_hf, hf_config
from sam2s.weights.name_table import TABLE, NameRow

__all__ = [
    "config_from_hf",
    "hf_config",
    "hf_to_ours",
    "meta_to_ours",
    "ours_to_hf",
    "ours_to_meta",
    "preset_of_meta",
]

Layout = Literal["ours", "meta", "hf"]

META_LABELS = "sam_prompt_encoder.point_embeddings"
"""Meta keeps four embeddings of one row where the others have one of four."""
META_UNUSED = "no_mem_pos_enc"
HF_UNUSED = "no_memory_positional_encoding"
HF_CODE = "prompt_encoder.shared_embedding.positional_embedding"
HF_CODE_COPY = "shared_image_embedding.positional_embedding"
"""transformers keeps the frequencies of the position code twice, for points and for the image
grid."""
NEW_IN_2_1 = ("no_obj_embed_spatial", "obj_ptr_tpos_proj")
"""What Meta's checkpoints hold since SAM 2.1."""
META_PRESETS = ("tiny", "small", "base_plus", "large")


def meta_to_ours(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a ``sam2`` checkpoint (what its "model" entry holds) under our names and
    shapes."""
    state = {name: tensor for name, tensor in state.items() if name != META_UNUSED}
    labels = [f"{META_LABELS}.{k}.weight" for k in range(4)]
    if all(name in state for name in labels):
        state[f"{META_LABELS}.weight"] = torch.cat([state.pop(name) for name in labels])
    return _translate(state, "meta", "ours")


def ours_to_meta(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors as a ``sam2`` checkpoint has them."""
    renamed = _translate(state, "ours", "meta")
    labels = renamed.pop(f"{META_LABELS}.weight")
    renamed |= {f"{META_LABELS}.{k}.weight": row[None] for k, row in enumerate(labels)}
    renamed[META_UNUSED] = torch.zeros_like(renamed["no_mem_embed"])
    return renamed


def hf_to_ours(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of transformers' Sam2VideoModel under our names and shapes.

    Raises WeightsError where the two copies of the position code differ, since we have but one.
    """
    state = {name: tensor for name, tensor in state.items() if name != HF_UNUSED}
    copy = state.pop(HF_CODE_COPY, None)
    if copy is not None and not torch.equal(state.setdefault(HF_CODE, copy), copy):
        raise WeightsError(
            f"{HF_CODE} and {HF_CODE_COPY} differ; the weights of one SAM 2.1 model hold them twice"
        )
    return _translate(state, "hf", "ours")


def ours_to_hf(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors as transformers' Sam2VideoModel has them (a table of temporal codes with
    DiveMem's row loses it)."""
    renamed = _translate(state, "ours", "hf")
    table = "memory_temporal_positional_encoding"
    renamed[table] = renamed[table][: CONDITIONING_SLOT + 1]
    renamed[HF_CODE_COPY] = renamed[HF_CODE].clone()
    renamed[HF_UNUSED] = torch.zeros_like(renamed["no_memory_embedding"])
    return renamed


def preset_of_meta(state: Mapping[str, Tensor]) -> str:
    """Which of tiny, small, base_plus and large a ``sam2`` checkpoint is, by the width and depth of
    its trunk. ``WeightsError`` for another trunk, and for SAM 2.0."""
    patch = state.get("image_encoder.trunk.patch_embed.proj.weight")
    found = (re.match(r"image_encoder\.trunk\.blocks\.(\d+)\.", name) for name in state)
    depth = 1 + max((int(match[1]) for match in found if match), default=-1)
    width = None if patch is None else patch.shape[0]
    for name in META_PRESETS:
        if (width, depth) == (PRESETS[name].trunk_dim, sum(PRESETS[name].trunk_blocks)):
            if any(part.startswith(NEW_IN_2_1) for part in state):
                return name
            raise WeightsError(
                f"is SAM 2.0, not 2.1 (it has neither {' nor '.join(NEW_IN_2_1)}); use the"
                " weights of SAM 2.1, or a derivative of them"
            )
    raise WeightsError(
        f"checkpoint: its trunk has width {width} and {depth} blocks, which is none of"
        f" {', '.join(META_PRESETS)}"
    )


def _translate(state: Mapping[str, Tensor], source: Layout, target: Layout) -> dict[str, Tensor]:
    rules = [_Rule.of(row, source, target) for row in TABLE]
    result = {}
    for name, tensor in state.items():
        for rule in rules:
            if match := rule.pattern.fullmatch(name):
                name, tensor = (
                    rule.target.format(*match.groups(default="")),
                    _reshape(tensor, rule.extra, target),
                )
                break
        result[name] = tensor
    return result


def _reshape(tensor: Tensor, axes: tuple[int, ...], target: Layout) -> Tensor:
    """Drop the axes of length one that ours have not, or put them back; another shape is left for
    the check of fit."""
    if target == "ours":
        return tensor.squeeze(axes) if axes and tensor.ndim > max(axes) else tensor
    for axis in axes:
        tensor = tensor.unsqueeze(axis)
    return tensor


@dataclass(frozen=True, slots=True)
class _Rule:
    """A row of the table, read in one direction: what to match, and the format of the new name."""

    pattern: re.Pattern[str]
    target: str
    extra: tuple[int, ...]

    @staticmethod
    def of(row: NameRow, source: Layout, target: Layout) -> _Rule:
        name = re.escape(getattr(row, source)).replace(r"\#", r"(\d+)")
        format_ = getattr(row, target).replace("#", "{}")
        return _Rule(re.compile(rf"{name}(\.weight|\.bias)?"), f"{format_}{{}}", row.extra)
