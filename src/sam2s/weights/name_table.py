"""The table of tensor names: ours, Meta's (``sam2`` checkpoints) and Hugging Face's
(``transformers``' Sam2VideoModel).

A row names a module (both its weight and its bias move) or a single tensor. ``#`` stands for a
number that is the same in all three. Only tensors that a published SAM 2.1 model really uses have a
row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NameRow:
    """One line of the table. ``extra``: axes of length one that the foreign tensor has and ours has
    not."""

    ours: str
    meta: str
    hf: str
    extra: tuple[int, ...] = ()


def _mlp(ours: str, meta: str, hf: str, layers: int) -> Iterator[NameRow]:
    """A perceptron: numbered layers for Meta; first, numbered middle and last for the others."""
    for k in range(layers):
        own = "last" if k == layers - 1 else f"hidden.{k}"
        theirs = "proj_in" if k == 0 else "proj_out" if k == layers - 1 else f"layers.{k - 1}"
        yield NameRow(f"{ours}.{own}", f"{meta}.layers.{k}", f"{hf}.{theirs}")


def _attention(ours: str, meta: str, hf: str) -> Iterator[NameRow]:
    for part in ("q_proj", "k_proj", "v_proj"):
        yield NameRow(f"{ours}.{part}", f"{meta}.{part}", f"{hf}.{part}")
    yield NameRow(f"{ours}.out_proj", f"{meta}.out_proj", f"{hf}.o_proj")


def _norms(ours: str, meta: str, hf: str, count: int) -> Iterator[NameRow]:
    for k in range(1, count + 1):
        yield NameRow(f"{ours}.norm{k}", f"{meta}.norm{k}", f"{hf}.layer_norm{k}")


def _image_encoder() -> Iterator[NameRow]:
    ours, meta, hf = "image_encoder.trunk", "image_encoder.trunk", "vision_encoder.backbone"
    yield NameRow(f"{ours}.patch_embed", f"{meta}.patch_embed.proj", f"{hf}.patch_embed.projection")
    for name in ("pos_embed", "pos_embed_window"):
        yield NameRow(f"{ours}.{name}", f"{meta}.{name}", f"{hf}.{name}")
    ours, meta, hf = f"{ours}.blocks.#", f"{meta}.blocks.#", f"{hf}.blocks.#"
    yield from _norms(ours, meta, hf, 2)
    yield from _mlp(f"{ours}.mlp", f"{meta}.mlp", f"{hf}.mlp", 2)
    for name in ("attn.qkv", "attn.proj"):
        yield NameRow(f"{ours}.{name}", f"{meta}.{name}", f"{hf}.{name}")
    yield NameRow(f"{ours}.shortcut", f"{meta}.proj", f"{hf}.proj")
    for stage in range(4):  # ours run from fine to coarse, theirs from coarse to fine
        theirs = f"neck.convs.{3 - stage}"
        yield NameRow(
            f"image_encoder.laterals.{stage}",
            f"image_encoder.{theirs}.conv",
            f"vision_encoder.{theirs}",
        )
    for ours, name in (("project4", "conv_s0"), ("project8", "conv_s1")):
        yield NameRow(f"image_encoder.{ours}", f"sam_mask_decoder.{name}", f"mask_decoder.{name}")


def _prompt_encoder() -> Iterator[NameRow]:
    ours, meta, hf = "prompt_encoder", "sam_prompt_encoder", "prompt_encoder"
    code = f"{meta}.pe_layer.positional_encoding_gaussian_matrix"
    yield NameRow(f"{ours}.frequencies", code, f"{hf}.shared_embedding.positional_embedding")
    yield NameRow(
        f"{ours}.label_embed", f"{meta}.point_embeddings.weight", f"{hf}.point_embed.weight"
    )
    yield NameRow(
        f"{ours}.not_a_point",
        f"{meta}.not_a_point_embed.weight",
        f"{hf}.not_a_point_embed.weight",
        (0,),
    )
    yield NameRow(
        f"{ours}.no_mask", f"{meta}.no_mask_embed.weight", f"{hf}.no_mask_embed.weight", (0,)
    )
    for k, name in (
        (0, "conv1"),
        (1, "layer_norm1"),
        (3, "conv2"),
        (4, "layer_norm2"),
        (6, "conv3"),
    ):
        yield NameRow(
            f"{ours}.mask_net.{k}", f"{meta}.mask_downscaling.{k}", f"{hf}.mask_embed.{name}"
        )


def _mask_decoder() -> Iterator[NameRow]:
    ours, meta, hf = "mask_decoder", "sam_mask_decoder", "mask_decoder"
    for own, name in (
        ("object_token", "obj_score_token"),
        ("iou_token", "iou_token"),
        ("mask_tokens", "mask_tokens"),
    ):
        yield NameRow(f"{ours}.{own}", f"{meta}.{name}.weight", f"{hf}.{name}.weight")
    yield NameRow(f"{ours}.upscale8", f"{meta}.output_upscaling.0", f"{hf}.upscale_conv1")
    yield NameRow(f"{ours}.upscale_norm", f"{meta}.output_upscaling.1", f"{hf}.upscale_layer_norm")
    yield NameRow(f"{ours}.upscale4", f"{meta}.output_upscaling.3", f"{hf}.upscale_conv2")
    hyper = "output_hypernetworks_mlps.#"
    yield from _mlp(f"{ours}.mask_heads.#", f"{meta}.{hyper}", f"{hf}.{hyper}", 3)
    yield from _mlp(
        f"{ours}.iou_head", f"{meta}.iou_prediction_head", f"{hf}.iou_prediction_head", 3
    )
    yield from _mlp(
        f"{ours}.object_head", f"{meta}.pred_obj_score_head", f"{hf}.pred_obj_score_head", 3
    )

    ours, meta, hf = f"{ours}.transformer", f"{meta}.transformer", f"{hf}.transformer"
    yield from _attention(
        f"{ours}.final_attn", f"{meta}.final_attn_token_to_image", f"{hf}.final_attn_token_to_image"
    )
    yield NameRow(f"{ours}.final_norm", f"{meta}.norm_final_attn", f"{hf}.layer_norm_final_attn")
    ours, meta, hf = f"{ours}.blocks.#", f"{meta}.layers.#", f"{hf}.layers.#"
    yield from _norms(ours, meta, hf, 4)
    yield from _mlp(f"{ours}.mlp", f"{meta}.mlp", f"{hf}.mlp", 2)
    yield from _attention(f"{ours}.self_attn", f"{meta}.self_attn", f"{hf}.self_attn")
    for name in ("token_to_image", "image_to_token"):
        yield from _attention(
            f"{ours}.{name}", f"{meta}.cross_attn_{name}", f"{hf}.cross_attn_{name}"
        )


def _memory_attention() -> Iterator[NameRow]:
    ours = "memory_attention"
    yield NameRow(
        f"{ours}.slot_embed", "maskmem_tpos_enc", "memory_temporal_positional_encoding", (1, 2)
    )
    yield NameRow(f"{ours}.no_memory", "no_mem_embed", "no_memory_embedding", (0, 1))
    yield NameRow(
        f"{ours}.pointer_time_proj",
        "obj_ptr_tpos_proj",
        "temporal_positional_encoding_projection_layer",
    )
    yield NameRow(f"{ours}.norm", f"{ours}.norm", f"{ours}.layer_norm")
    layer = f"{ours}.layers.#"
    yield from _norms(layer, layer, layer, 3)
    yield from _attention(f"{layer}.self_attn", f"{layer}.self_attn", f"{layer}.self_attn")
    yield from _attention(
        f"{layer}.cross_attn", f"{layer}.cross_attn_image", f"{layer}.cross_attn_image"
    )
    yield NameRow(f"{layer}.mlp.hidden.0", f"{layer}.linear1", f"{layer}.linear1")
    yield NameRow(f"{layer}.mlp.last", f"{layer}.linear2", f"{layer}.linear2")


def _memory_encoder() -> Iterator[NameRow]:
    base = "memory_encoder"
    for k in range(4):
        shrink = f"{base}.mask_downsampler.layers.{k}"
        yield NameRow(
            f"{base}.mask_net.{3 * k}", f"{base}.mask_downsampler.encoder.{3 * k}", f"{shrink}.conv"
        )
        yield NameRow(
            f"{base}.mask_net.{3 * k + 1}",
            f"{base}.mask_downsampler.encoder.{3 * k + 1}",
            f"{shrink}.layer_norm",
        )
    yield NameRow(
        f"{base}.mask_net.12",
        f"{base}.mask_downsampler.encoder.12",
        f"{base}.mask_downsampler.final_conv",
    )
    yield NameRow(f"{base}.image_proj", f"{base}.pix_feat_proj", f"{base}.feature_projection")
    yield NameRow(f"{base}.out_proj", f"{base}.out_proj", f"{base}.projection")
    ours, meta, hf = f"{base}.blocks.#", f"{base}.fuser.layers.#", f"{base}.memory_fuser.layers.#"
    yield NameRow(f"{ours}.depthwise", f"{meta}.dwconv", f"{hf}.depthwise_conv")
    yield NameRow(f"{ours}.norm", f"{meta}.norm", f"{hf}.layer_norm")
    yield NameRow(f"{ours}.mlp.hidden.0", f"{meta}.pwconv1", f"{hf}.pointwise_conv1")
    yield NameRow(f"{ours}.mlp.last", f"{meta}.pwconv2", f"{hf}.pointwise_conv2")
    yield NameRow(f"{ours}.scale", f"{meta}.gamma", f"{hf}.scale")


def _container() -> Iterator[NameRow]:
    yield NameRow("given_mask_proj", "mask_downsample", "mask_downsample")
    yield from _mlp("pointer_proj", "obj_ptr_proj", "object_pointer_proj", 3)
    yield NameRow("no_object_pointer", "no_obj_ptr", "no_object_pointer", (0,))
    yield NameRow(
        "no_object_map", "no_obj_embed_spatial", "occlusion_spatial_embedding_parameter", (0,)
    )


TABLE: tuple[NameRow, ...] = (
    *_image_encoder(),
    *_prompt_encoder(),
    *_mask_decoder(),
    *_memory_attention(),
    *_memory_encoder(),
    *_container(),
)
