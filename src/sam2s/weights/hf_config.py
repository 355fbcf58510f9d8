"""The ``config.json`` of transformers' Sam2VideoModel -> ours, and back.

transformers writes every choice down; SAM 2.1 has one published value for most. Those must be as published, or the
weights would run differently here: a ``WeightsError`` names them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sam2s.errors import InputError, WeightsError
from sam2s.model.presets import PRESETS, ModelConfig

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
    "dynamic_multimask_stability_thresh": 0.98,
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
POSITION_GRID = "window_positional_embedding_background_size"


def config_from_hf(values: Mapping[str, Any]) -> ModelConfig:
    """The shape of a Sam2VideoModel from its ``config.json``; a missing entry has transformers' default (SAM 2.1 tiny).

    Raises WeightsError for another kind of model, and for choices that SAM 2.1 does not make."""
    if values.get("model_type") != MODEL_TYPE:
        raise WeightsError(
            f"config.json: model_type is {values.get('model_type')!r}, expected {MODEL_TYPE!r} (SAM 2.1)"
        )
    vision = values.get("vision_config") or {}
    backbone = vision.get("backbone_config") or {}
    decoder = values.get("mask_decoder_config") or {}
    prompt = values.get("prompt_encoder_config") or {}
    base = PRESETS["tiny"]
    width, heads = backbone.get("hidden_size", base.trunk_dim), backbone.get("num_attention_heads_per_stage", [1])[0]
    dim = vision.get("fpn_hidden_size", base.dim)
    derived = (
        _differing("vision_config.backbone_config", backbone, {**BACKBONE_FIXED, **_trunk_derived(width, heads)}),
        _differing("vision_config", vision, VISION_FIXED),
        _differing("prompt_encoder_config", prompt, {**PROMPT_FIXED, "hidden_size": dim}),
        _differing("mask_decoder_config", decoder, {**DECODER_FIXED, "hidden_size": dim}),
        _differing("", values, {**VIDEO_FIXED, **_video_derived(dim)}),
    )
    problems = [problem for group in derived for problem in group]
    if problems:
        raise WeightsError(f"config.json: not a SAM 2.1 model: {'; '.join(problems)}")
    grid = backbone.get(POSITION_GRID, [base.trunk_position_grid] * 2)
    config = {
        "name": "sam2.1",
        "image_size": _side(values.get("image_size", base.image_size)),
        "trunk_dim": width,
        "trunk_heads": heads,
        "trunk_blocks": tuple(backbone.get("blocks_per_stage", base.trunk_blocks)),
        "trunk_windows": tuple(backbone.get("window_size_per_stage", base.trunk_windows)),
        "trunk_global_blocks": tuple(backbone.get("global_attention_blocks", base.trunk_global_blocks)),
        "trunk_position_grid": _side(grid),
        "dim": dim,
        "decoder_layers": decoder.get("num_hidden_layers", base.decoder_layers),
        "decoder_heads": decoder.get("num_attention_heads", base.decoder_heads),
        "decoder_mlp_dim": decoder.get("mlp_dim", base.decoder_mlp_dim),
        "iou_head_dim": decoder.get("iou_head_hidden_dim", base.iou_head_dim),
        "memory_dim": values.get("memory_encoder_output_channels", base.memory_dim),
        "memory_encoder_layers": values.get("memory_fuser_num_layers", base.memory_encoder_layers),
        "memory_layers": values.get("memory_attention_num_layers", base.memory_layers),
        "memory_mlp_dim": values.get("memory_attention_feed_forward_hidden_size", base.memory_mlp_dim),
        "dropout": values.get("memory_attention_dropout", base.dropout),
    }
    try:
        return _named(ModelConfig(**config))
    except InputError as error:
        raise WeightsError(f"config.json: {error}") from error


def hf_config(config: ModelConfig) -> dict[str, Any]:
    """The ``config.json`` under which transformers builds the same model (DiveMem's rule and embedding stay behind)."""
    side, width = config.image_size, config.trunk_dim
    backbone = {
        **BACKBONE_FIXED,
        **_trunk_derived(width, config.trunk_heads),
        "hidden_size": width,
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
    }
    return {
        **VIDEO_FIXED,
        **_video_derived(config.dim),
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


def _trunk_derived(width: int, heads: int) -> dict[str, Any]:
    return {
        "embed_dim_per_stage": [width * 2**stage for stage in range(4)],
        "num_attention_heads_per_stage": [heads * 2**stage for stage in range(4)],
    }


def _video_derived(dim: int) -> dict[str, Any]:
    return {
        "memory_attention_hidden_size": dim,
        "memory_encoder_hidden_size": dim,
        "mask_downsampler_embed_dim": dim,
        "memory_fuser_embed_dim": dim,
        "memory_fuser_intermediate_dim": 4 * dim,
    }


def _differing(path: str, values: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for key, value in expected.items():
        given = values.get(key, value)
        if given is not None and _plain(given) != _plain(value):
            yield f"{path}{'.' if path else ''}{key} is {given!r}, expected {value!r}"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _side(size: Any) -> int:
    """The side of a square that is given as one number or as two."""
    sides = set(size) if isinstance(size, list | tuple) else {size}
    if len(sides) != 1:
        raise WeightsError(f"config.json: got the size {size}, expected a square")
    return int(sides.pop())


def _named(config: ModelConfig) -> ModelConfig:
    """The config under the name of the preset with the same tensors, if there is one."""
    shape = {**config.to_dict(), "name": None, "image_size": None}
    for name, known in PRESETS.items():
        if {**known.to_dict(), "name": None, "image_size": None} == shape:
            return ModelConfig.from_dict({**config.to_dict(), "name": name})
    return config
