"""The ``config.json`` of transformers' Sam2VideoModel -> ours, and back.

transformers writes every choice down; SAM 2.1 has one published value for most. Those must be as
published, or the weights would run differently here: a ``WeightsError`` names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sam2s.errors import InputError, WeightsError
from sam2s.model.presets import PRESETS, ModelConfig
from sam2s.typed_json import build, shown

MODEL_TYPE = "sam2_video"

BACKBONE_FIXED = {
    "num_channels": 3,
    "patch_kernel_size": [7, 7],
    "patch_stride": [4, 4],
    "patch_padding": [3, 3],
    "query_stride": [2, 2],
    "num_query_pool_stages": 3,
    "mlp_ratio": 4.0,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
}
VISION_FIXED = {
    "fpn_kernel_size": 1,
    "fpn_stride": 1,
    "fpn_padding": 0,
    "fpn_top_down_levels": [2, 3],
    "num_feature_levels": 3,
}
PROMPT_FIXED = {
    "patch_size": 16,
    "mask_input_channels": 16,
    "num_point_embeddings": 4,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
}
DECODER_FIXED = {
    "attention_downsample_rate": 2,
    "num_multimask_outputs": 3,
    "iou_head_depth": 3,
    "hidden_act": "gelu",
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
}
VIDEO_FIXED = {
    "num_maskmem": 7,
    "sigmoid_scale_for_mem_enc": 20.0,
    "sigmoid_bias_for_mem_enc": -10.0,
    "enable_occlusion_spatial_embedding": True,
    "multimask_output_in_sam": True,
    "multimask_min_pt_num": 0,
    "multimask_max_pt_num": 1,
    "multimask_output_for_tracking": True,
    "max_object_pointers_in_encoder": 16,
    "max_cond_frame_num": -1,
    "enable_temporal_pos_encoding_for_object_pointers": True,
    "memory_attention_num_attention_heads": 1,
    "memory_attention_downsample_rate": 1,
    "memory_attention_feed_forward_hidden_act": "relu",
    "mask_downsampler_kernel_size": 3,
    "mask_downsampler_stride": 2,
    "mask_downsampler_padding": 1,
    "mask_downsampler_total_stride": 16,
    "mask_downsampler_hidden_act": "gelu",
    "memory_fuser_kernel_size": 7,
    "memory_fuser_padding": 3,
    "memory_fuser_hidden_act": "gelu",
}
DECODER_SHAPE = {
    "decoder_layers": "num_hidden_layers",
    "decoder_heads": "num_attention_heads",
    "decoder_mlp_dim": "mlp_dim",
    "iou_head_dim": "iou_head_hidden_dim",
    "stability_threshold": "dynamic_multimask_stability_thresh",
}
VIDEO_SHAPE = {
    "memory_dim": "memory_encoder_output_channels",
    "memory_encoder_layers": "memory_fuser_num_layers",
    "memory_layers": "memory_attention_num_layers",
    "memory_mlp_dim": "memory_attention_feed_forward_hidden_size",
    "dropout": "memory_attention_dropout",
}
"""Our fields and transformers' names of what models may differ in."""

DIMS = (
    "memory_attention_hidden_size",
    "memory_encoder_hidden_size",
    "mask_downsampler_embed_dim",
    "memory_fuser_embed_dim",
)
FREE = {
    *("architectures", "model_type", "image_size", "rope_type", "memory_attention_rope_feat_sizes"),
    *(
        "memory_attention_rope_dropout",
        "backbone_feature_sizes",
        "backbone_channel_list",
        "num_attention_heads",
    ),
}
"""What ``hf_config`` writes and no answer depends on: it follows from the rest, or transformers
does not read it."""
POSITION_GRID = "window_positional_embedding_background_size"
DEFAULT = PRESETS["tiny"]


Size = int | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Backbone:
    hidden_size: int | None = None
    num_attention_heads_per_stage: tuple[int, ...] | None = None
    blocks_per_stage: tuple[int, ...] | None = None
    window_size_per_stage: tuple[int, ...] | None = None
    global_attention_blocks: tuple[int, ...] | None = None
    window_positional_embedding_background_size: Size | None = None


@dataclass(frozen=True, slots=True)
class _Vision:
    backbone_config: _Backbone | None = None
    fpn_hidden_size: int | None = None


@dataclass(frozen=True, slots=True)
class _Published:
    """What is read of a ``config.json``, by type; `ModelConfig` knows the ranges."""

    image_size: Size | None = None
    vision_config: _Vision | None = None
    mask_decoder_config: Mapping[str, Any] | None = None
    prompt_encoder_config: Mapping[str, Any] | None = None


def config_from_hf(values: Mapping[str, Any]) -> ModelConfig:
    """The shape of a Sam2VideoModel from its ``config.json``; a missing entry has transformers'
    default (SAM 2.1 tiny).

    Raises WeightsError for another kind of model, and for choices that SAM 2.1 does not make.
    """
    if values.get("model_type") != MODEL_TYPE:
        kind = values.get("model_type")
        raise WeightsError(
            f"config.json: model_type is {shown(kind)}, expected {MODEL_TYPE!r} (SAM 2.1)"
        )
    build(values, _Published, "config.json", error=WeightsError)
    vision, decoder = values.get("vision_config") or {}, values.get("mask_decoder_config") or {}
    shape = {
        **_trunk_shape(vision.get("backbone_config") or {}),
        **_pick(vision, {"dim": "fpn_hidden_size"}),
        **_pick(decoder, DECODER_SHAPE),
        **_pick(values, VIDEO_SHAPE),
        "image_size": _side(values.get("image_size") or DEFAULT.image_size),
    }
    try:
        config = replace(DEFAULT, name="sam2.1", **shape)
    except (InputError, TypeError) as error:
        raise WeightsError(f"config.json: {error}") from error
    problems = list(_differing("", values, hf_config(config)))
    if problems:
        raise WeightsError(f"config.json: not a SAM 2.1 model: {'; '.join(problems)}")
    return _named(config)


def hf_config(config: ModelConfig) -> dict[str, Any]:
    """The ``config.json`` under which transformers builds the same model (DiveMem's rule and
    embedding stay behind)."""
    side, width = config.image_size, config.trunk_dim
    backbone = {
        **BACKBONE_FIXED,
        "hidden_size": width,
        "embed_dim_per_stage": [width * 2**stage for stage in range(4)],
        "num_attention_heads_per_stage": [config.trunk_heads * 2**stage for stage in range(4)],
        "num_attention_heads": config.trunk_heads,
        "image_size": [side, side],
        POSITION_GRID: [config.trunk_position_grid] * 2,
        "blocks_per_stage": list(config.trunk_blocks),
        "window_size_per_stage": list(config.trunk_windows),
        "global_attention_blocks": list(config.trunk_global_blocks),
    }
    vision = {
        **VISION_FIXED,
        "backbone_config": {"model_type": "sam2_hiera_det_model", **backbone},
        "backbone_channel_list": [width * 2**stage for stage in (3, 2, 1, 0)],
        "backbone_feature_sizes": [[side // stride] * 2 for stride in (4, 8, 16)],
        "fpn_hidden_size": config.dim,
    }
    decoder = {
        **DECODER_FIXED,
        "hidden_size": config.dim,
        "num_hidden_layers": config.decoder_layers,
        "num_attention_heads": config.decoder_heads,
        "mlp_dim": config.decoder_mlp_dim,
        "iou_head_hidden_dim": config.iou_head_dim,
        "dynamic_multimask_stability_thresh": config.stability_threshold,
    }
    return {
        **VIDEO_FIXED,
        **dict.fromkeys(DIMS, config.dim),
        "memory_fuser_intermediate_dim": 4 * config.dim,
        "model_type": MODEL_TYPE,
        "architectures": ["Sam2VideoModel"],
        "image_size": side,
        "vision_config": {"model_type": "sam2_vision_model", **vision},
        "prompt_encoder_config": {**PROMPT_FIXED, "hidden_size": config.dim, "image_size": side},
        "mask_decoder_config": decoder,
        "memory_encoder_output_channels": config.memory_dim,
        "memory_fuser_num_layers": config.memory_encoder_layers,
        "memory_attention_num_layers": config.memory_layers,
        "memory_attention_feed_forward_hidden_size": config.memory_mlp_dim,
        "memory_attention_dropout": config.dropout,
        "memory_attention_rope_dropout": config.dropout,
        "memory_attention_rope_feat_sizes": [side // 16] * 2,
        "rope_parameters": {"rope_type": "axial", "rope_theta": 10000.0},
    }


def _trunk_shape(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """The published models leave ``num_attention_heads`` at 1, so the heads are read stage-wise."""
    lists = {
        "trunk_blocks": "blocks_per_stage",
        "trunk_windows": "window_size_per_stage",
        "trunk_global_blocks": "global_attention_blocks",
    }
    return {
        **_pick(backbone, {"trunk_dim": "hidden_size"}),
        "trunk_heads": (backbone.get("num_attention_heads_per_stage") or [DEFAULT.trunk_heads])[0],
        **{ours: tuple(value) for ours, value in _pick(backbone, lists).items()},
        "trunk_position_grid": _side(backbone.get(POSITION_GRID) or DEFAULT.trunk_position_grid),
    }


def _pick(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Entries under our names, as far as they are given."""
    return {
        ours: values[theirs] for ours, theirs in names.items() if values.get(theirs) is not None
    }


def _differing(path: str, values: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    """What is given and is not what SAM 2.1 of this shape has."""
    for key in sorted(expected.keys() - FREE):
        given, value = values.get(key), expected[key]
        if isinstance(given, Mapping) and isinstance(value, Mapping):
            yield from _differing(f"{path}{key}.", given, value)
        elif given is not None and (list(given) if isinstance(given, tuple) else given) != value:
            yield f"{path}{key} is {shown(given)}, expected {value!r}"


def _side(size: Any) -> int:
    """The side of a square that is given as one number or as two."""
    sides = set(size) if isinstance(size, list | tuple) else {size}
    if len(sides) != 1:
        raise WeightsError(f"config.json: got the size {shown(size)}, expected a square")
    return int(sides.pop())


def _named(config: ModelConfig) -> ModelConfig:
    """The config under the name of the preset with the same tensors, if there is one."""
    for known in PRESETS.values():
        if replace(known, image_size=config.image_size) == replace(config, name=known.name):
            return replace(config, name=known.name)
    return config
