from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig

from sam2s.errors import WeightsError
from sam2s.model.presets import ModelConfig, preset
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.weights import keymap

SIZES = ("tiny", "small", "base_plus", "large")


def empty(config: ModelConfig) -> SAM2S:
    """A model without memory behind its tensors."""
    with torch.device("meta"):
        return build_model(config)


# ---------------------------------------- what Meta's checkpoints hold

DIM, MEMORY = 256, 64


def layer(name: str, out: int, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (out, *shape)
    yield f"{name}.bias", (out,)


def attention(name: str, inner: int, memory: int = DIM) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from layer(f"{name}.q_proj", inner, DIM)
    yield from layer(f"{name}.k_proj", inner, memory)
    yield from layer(f"{name}.v_proj", inner, memory)
    yield from layer(f"{name}.out_proj", DIM, inner)


def mlp(name: str, *dims: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for k, (a, b) in enumerate(pairwise(dims)):
        yield from layer(f"{name}.layers.{k}", b, a)


def trunk(config: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    name, width = "image_encoder.trunk", config.trunk_dim
    yield f"{name}.pos_embed", (1, width, config.trunk_position_grid, config.trunk_position_grid)
    yield f"{name}.pos_embed_window", (1, width, 8, 8)
    yield from layer(f"{name}.patch_embed.proj", width, 3, 7, 7)
    block = 0
    for stage, count in enumerate(config.trunk_blocks):
        for k in range(count):
            out = width * 2**stage
            dim = out // 2 if stage and k == 0 else out
            yield from layer(f"{name}.blocks.{block}.norm1", dim)
            yield from layer(f"{name}.blocks.{block}.attn.qkv", 3 * out, dim)
            yield from layer(f"{name}.blocks.{block}.attn.proj", out, out)
            yield from layer(f"{name}.blocks.{block}.norm2", out)
            yield from mlp(f"{name}.blocks.{block}.mlp", out, 4 * out, out)
            if dim != out:
                yield from layer(f"{name}.blocks.{block}.proj", out, dim)
            block += 1
    for k in range(4):
        yield from layer(f"image_encoder.neck.convs.{k}.conv", DIM, width * 2 ** (3 - k), 1, 1)


def prompt_encoder() -> Iterator[tuple[str, tuple[int, ...]]]:
    name = "sam_prompt_encoder"
    yield f"{name}.pe_layer.positional_encoding_gaussian_matrix", (2, DIM // 2)
    for k in range(4):
        yield f"{name}.point_embeddings.{k}.weight", (1, DIM)
    yield f"{name}.not_a_point_embed.weight", (1, DIM)
    yield f"{name}.no_mask_embed.weight", (1, DIM)
    yield from layer(f"{name}.mask_downscaling.0", 4, 1, 2, 2)
    yield from layer(f"{name}.mask_downscaling.1", 4)
    yield from layer(f"{name}.mask_downscaling.3", 16, 4, 2, 2)
    yield from layer(f"{name}.mask_downscaling.4", 16)
    yield from layer(f"{name}.mask_downscaling.6", DIM, 16, 1, 1)


def mask_decoder() -> Iterator[tuple[str, tuple[int, ...]]]:
    name = "sam_mask_decoder"
    for k in range(2):
        block = f"{name}.transformer.layers.{k}"
        yield from attention(f"{block}.self_attn", DIM)
        yield from attention(f"{block}.cross_attn_token_to_image", DIM // 2)
        yield from attention(f"{block}.cross_attn_image_to_token", DIM // 2)
        yield from mlp(f"{block}.mlp", DIM, 2048, DIM)
        for norm in range(1, 5):
            yield from layer(f"{block}.norm{norm}", DIM)
    yield from attention(f"{name}.transformer.final_attn_token_to_image", DIM // 2)
    yield from layer(f"{name}.transformer.norm_final_attn", DIM)
    for token, count in (("iou_token", 1), ("mask_tokens", 4), ("obj_score_token", 1)):
        yield f"{name}.{token}.weight", (count, DIM)
    yield f"{name}.output_upscaling.0.weight", (DIM, 64, 2, 2)
    yield f"{name}.output_upscaling.0.bias", (64,)
    yield from layer(f"{name}.output_upscaling.1", 64)
    yield f"{name}.output_upscaling.3.weight", (64, 32, 2, 2)
    yield f"{name}.output_upscaling.3.bias", (32,)
    yield from layer(f"{name}.conv_s0", 32, DIM, 1, 1)
    yield from layer(f"{name}.conv_s1", 64, DIM, 1, 1)
    for k in range(4):
        yield from mlp(f"{name}.output_hypernetworks_mlps.{k}", DIM, DIM, DIM, 32)
    yield from mlp(f"{name}.iou_prediction_head", DIM, 256, 256, 4)
    yield from mlp(f"{name}.pred_obj_score_head", DIM, DIM, DIM, 1)


def memory_modules() -> Iterator[tuple[str, tuple[int, ...]]]:
    for k in range(4):
        name = f"memory_attention.layers.{k}"
        yield from attention(f"{name}.self_attn", DIM)
        yield from attention(f"{name}.cross_attn_image", DIM, MEMORY)
        yield from layer(f"{name}.linear1", 2048, DIM)
        yield from layer(f"{name}.linear2", DIM, 2048)
        for norm in range(1, 4):
            yield from layer(f"{name}.norm{norm}", DIM)
    yield from layer("memory_attention.norm", DIM)
    for k, (a, b) in enumerate(((1, 4), (4, 16), (16, 64), (64, 256))):
        yield from layer(f"memory_encoder.mask_downsampler.encoder.{3 * k}", b, a, 3, 3)
        yield from layer(f"memory_encoder.mask_downsampler.encoder.{3 * k + 1}", b)
    yield from layer("memory_encoder.mask_downsampler.encoder.12", DIM, 256, 1, 1)
    yield from layer("memory_encoder.pix_feat_proj", DIM, DIM, 1, 1)
    for k in range(2):
        name = f"memory_encoder.fuser.layers.{k}"
        yield f"{name}.gamma", (DIM,)
        yield from layer(f"{name}.dwconv", DIM, 1, 7, 7)
        yield from layer(f"{name}.norm", DIM)
        yield from layer(f"{name}.pwconv1", 4 * DIM, DIM)
        yield from layer(f"{name}.pwconv2", DIM, 4 * DIM)
    yield from layer("memory_encoder.out_proj", MEMORY, DIM, 1, 1)


def meta_checkpoint(config: ModelConfig) -> dict[str, Tensor]:
    """Names and shapes of a published SAM 2.1 checkpoint, written down from the modules of
    ``sam2``."""
    names = [
        *trunk(config),
        *prompt_encoder(),
        *mask_decoder(),
        *memory_modules(),
        ("maskmem_tpos_enc", (7, 1, 1, MEMORY)),
        ("no_mem_embed", (1, 1, DIM)),
        ("no_mem_pos_enc", (1, 1, DIM)),
        ("no_obj_ptr", (1, DIM)),
        ("no_obj_embed_spatial", (1, MEMORY)),
        *layer("mask_downsample", 1, 1, 4, 4),
        *mlp("obj_ptr_proj", DIM, DIM, DIM, DIM),
        *layer("obj_ptr_tpos_proj", MEMORY, DIM),
    ]
    return {name: torch.empty(shape, device="meta") for name, shape in names}


def shapes(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("name", SIZES)
def test_metas_checkpoints(name: str):
    checkpoint = meta_checkpoint(preset(name))
    ours = empty(preset(name)).state_dict()
    assert keymap.preset_of_meta(checkpoint) == name
    assert shapes(keymap.meta_to_ours(checkpoint)) == shapes(ours)
    assert shapes(keymap.ours_to_meta(ours)) == shapes(checkpoint)


@pytest.mark.parametrize("name", SIZES)
def test_transformers_models(name: str):
    with torch.device("meta"):
        theirs = Sam2VideoModel(Sam2VideoConfig(**keymap.hf_config(preset(name)))).state_dict()
    del theirs["shared_image_embedding.positional_embedding"]  # has no values to compare
    ours = empty(preset(name)).state_dict()
    back = keymap.ours_to_hf(ours)
    copy = back.pop("shared_image_embedding.positional_embedding")
    assert copy.shape == theirs["prompt_encoder.shared_embedding.positional_embedding"].shape
    assert shapes(keymap.hf_to_ours(theirs)) == shapes(ours)
    assert shapes(back) == shapes(theirs)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    model = build_model(preset("nano", image_size=64, long_term_embedding=False))
    return {name: torch.randn_like(tensor) for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    ("there", "back"),
    [(keymap.ours_to_meta, keymap.meta_to_ours), (keymap.ours_to_hf, keymap.hf_to_ours)],
)
def test_values_survive_there_and_back(state: dict[str, Tensor], there: Any, back: Any):
    names = list(state)
    returned = back(there(state))
    assert list(state) == names, "the given dict must stay as it is"
    assert returned.keys() == state.keys()
    assert all(torch.equal(returned[name], state[name]) for name in state)


def test_numbers_in_names_are_kept(state: dict[str, Tensor]):
    """One row serves many blocks; each must keep its own number, and the neck counts the other way
    round."""
    meta, hf = keymap.ours_to_meta(state), keymap.ours_to_hf(state)
    mine = state["image_encoder.trunk.blocks.3.mlp.last.weight"]
    assert torch.equal(meta["image_encoder.trunk.blocks.3.mlp.layers.1.weight"], mine)
    assert torch.equal(hf["vision_encoder.backbone.blocks.3.mlp.proj_out.weight"], mine)
    fine = state["image_encoder.laterals.0.weight"]
    assert torch.equal(meta["image_encoder.neck.convs.3.conv.weight"], fine)
    assert torch.equal(hf["vision_encoder.neck.convs.3.weight"], fine)
    exclude = state["prompt_encoder.label_embed"][0]
    assert torch.equal(meta["sam_prompt_encoder.point_embeddings.0.weight"][0], exclude)


def test_long_term_embedding_stays_behind():
    """transformers' table has seven rows; ours may have DiveMem's eighth."""
    model = build_model(preset("nano", image_size=64))
    table = keymap.ours_to_hf(model.state_dict())["memory_temporal_positional_encoding"]
    assert table.shape == (7, 1, 1, 64)
    assert torch.equal(table[:, 0, 0], model.memory_attention.slot_embed[:7])


@pytest.mark.parametrize("translate", [keymap.meta_to_ours, keymap.hf_to_ours])
def test_what_is_unknown_or_misshapen_passes_for_the_check_of_fit_to_name(translate: Any):
    odd = {
        "made.up.weight": torch.ones(2),
        "no_mem_embed": torch.ones(3),
        "image_encoder.trunk.blocks.x": torch.ones(1),
    }
    translated = translate(odd)
    assert len(translated) == 3
    assert torch.equal(translated["made.up.weight"], torch.ones(2))
    assert {tuple(t.shape) for t in translated.values()} == {(2,), (3,), (1,)}


def test_missing_label_embeddings_stay_missing():
    checkpoint = meta_checkpoint(preset("tiny"))
    del checkpoint["sam_prompt_encoder.point_embeddings.2.weight"]
    assert "prompt_encoder.label_embed" not in keymap.meta_to_ours(checkpoint)


def test_transformers_may_drop_one_copy_of_the_position_code(state: dict[str, Tensor]):
    """safetensors keeps shared tensors once."""
    for gone in ("shared_image_embedding", "prompt_encoder.shared_embedding"):
        hf = keymap.ours_to_hf(state)
        del hf[f"{gone}.positional_embedding"]
        assert torch.equal(
            keymap.hf_to_ours(hf)["prompt_encoder.frequencies"], state["prompt_encoder.frequencies"]
        )


def test_two_different_position_codes_are_an_error(state: dict[str, Tensor]):
    hf = keymap.ours_to_hf(state)
    hf["shared_image_embedding.positional_embedding"] += 1
    with pytest.raises(WeightsError, match="differ"):
        keymap.hf_to_ours(hf)


@pytest.mark.parametrize(
    "state", [{}, {"image_encoder.trunk.blocks.0.norm1.weight": torch.ones(96)}]
)
def test_a_checkpoint_of_no_known_size(state: dict[str, Tensor]):
    with pytest.raises(WeightsError, match="none of tiny, small, base_plus, large"):
        keymap.preset_of_meta(state)


def test_nano_is_none_of_metas(state: dict[str, Tensor]):
    with pytest.raises(WeightsError, match="width 48 and 9 blocks"):
        keymap.preset_of_meta(keymap.ours_to_meta(state))


# --------------------------------------------------------------------------- configuration

PUBLISHED: dict[str, dict[str, Any]] = {
    "tiny": {},
    "small": {"blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]},
    "base_plus": {
        "hidden_size": 112,
        "embed_dim_per_stage": [112, 224, 448, 896],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "blocks_per_stage": [2, 3, 16, 3],
        "global_attention_blocks": [12, 16, 20],
        "window_positional_embedding_background_size": [14, 14],
    },
    "large": {
        "hidden_size": 144,
        "embed_dim_per_stage": [144, 288, 576, 1152],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "blocks_per_stage": [2, 6, 36, 4],
        "global_attention_blocks": [23, 33, 43],
        "window_size_per_stage": [8, 4, 16, 8],
    },
}
"""The choices under which the published models were converted (``num_attention_heads`` itself stays
at 1 there)."""


def published(name: str) -> dict[str, Any]:
    return Sam2VideoConfig(
        vision_config=Sam2VisionConfig(backbone_config=Sam2HieraDetConfig(**PUBLISHED[name]))
    ).to_dict()


@pytest.mark.parametrize("name", SIZES)
def test_published_configurations(name: str):
    assert keymap.config_from_hf(published(name)) == preset(name)


@pytest.mark.parametrize("size", [512, [512, 512]])
def test_image_size_in_both_spellings(size: object):
    config = keymap.config_from_hf({**published("tiny"), "image_size": size})
    assert config == preset("tiny", image_size=512)


def test_a_sparse_configuration_is_tiny():
    assert keymap.config_from_hf({"model_type": "sam2_video"}) == preset("tiny")


@pytest.mark.parametrize("name", [*SIZES, "nano"])
def test_configurations_survive_there_and_back(name: str):
    config = preset(name, image_size=128)
    back = keymap.config_from_hf(keymap.hf_config(config))
    told = {"name", "memory", "long_term_embedding"} if name == "nano" else set()
    assert {k: v for k, v in back.to_dict().items() if k not in told} == {
        k: v for k, v in config.to_dict().items() if k not in told
    }


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"model_type": "sam2"}, "model_type is 'sam2', expected 'sam2_video'"),
        (
            {"enable_occlusion_spatial_embedding": False},
            "enable_occlusion_spatial_embedding is False, expected True",
        ),
        ({"num_maskmem": 4}, "num_maskmem is 4, expected 7"),
        ({"memory_encoder_hidden_size": 128}, "memory_encoder_hidden_size is 128, expected 256"),
        ({"image_size": [512, 1024]}, "expected a square"),
        ({"image_size": 500}, "multiple of 32"),
        ({"vision_config": {"fpn_stride": 2}}, "vision_config.fpn_stride is 2, expected 1"),
        (
            {"vision_config": {"backbone_config": {"embed_dim_per_stage": [96, 96, 96, 96]}}},
            "vision_config.backbone_config.embed_dim_per_stage",
        ),
        (
            {"mask_decoder_config": {"num_multimask_outputs": 5}},
            "mask_decoder_config.num_multimask_outputs",
        ),
        ({"prompt_encoder_config": {"patch_size": 14}}, "prompt_encoder_config.patch_size is 14"),
    ],
)
def test_choices_that_sam_2_1_does_not_make(changed: dict[str, Any], named: str):
    with pytest.raises(WeightsError, match=named):
        keymap.config_from_hf({"model_type": "sam2_video", **changed})
