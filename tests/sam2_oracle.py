"""transformers' Sam2VideoModel as an oracle that shares random weights with ours.

The weights are lively on purpose. Under the usual initialisation all logits are near 0.01 and any
code agrees with any other; here every layer keeps unit variance, every bias, norm, embedding and
layer scale is live, mask logits span tens, and two heads are calibrated on given features, so that
some rows are present and some absent, and some masks are stable and some are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from transformers import Sam2VideoConfig, Sam2VideoModel
from transformers.models.sam2_video import modeling_sam2_video

from sam2s.model.mask_decoder import STABILITY_THRESHOLD, Candidates, stability
from sam2s.model.presets import preset
from sam2s.model.sam2s import GIVEN_LOGIT, SAM2S
from sam2s.types import Features, PromptBatch
from sam2s.weights.keymap import hf_config, hf_to_ours

TOLERANCE = 1e-4
GAINS = {
    r"output_hypernetworks_mlps.*proj_out": 8.0,  # mask logits span tens
    r"pred_obj_score_head.proj_out": 4.0,
    # deep trunks grow; beside their features masks and memories would not count
    r"neck.convs": 0.25,
    r"cross_attn_image.(q|k)_proj": 2.0,  # sharp enough for it to matter which memory a cell finds
    r"cross_attn_image.o_proj": 3.0,
}
"""Scale of some layers over unit variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Our model and the oracle, with the same tensors in memory."""

    ours: SAM2S
    oracle: Sam2VideoModel

    @property
    def grid(self) -> int:
        """Cells of the stride-16 grid along one side."""
        return self.ours.image_size // 16


def build_pair(name: str, image_size: int, seed: int = 0) -> Pair:
    """A preset's pair in evaluation mode with lively random weights."""
    config = preset(name, image_size=image_size)
    oracle = Sam2VideoModel(Sam2VideoConfig(**hf_config(config))).eval().requires_grad_(False)
    _enliven(oracle, torch.Generator().manual_seed(seed))
    with torch.device("meta"):
        ours = SAM2S(config)
    ours.load_state_dict(hf_to_ours(oracle.state_dict()), assign=True)
    return Pair(ours.eval().requires_grad_(False), oracle)


def difference(ours: Tensor, oracle: Tensor) -> float:
    """Largest difference over largest value."""
    assert ours.shape == oracle.shape, f"{tuple(ours.shape)} against {tuple(oracle.shape)}"
    assert torch.isfinite(oracle).all()
    return float((ours - oracle).abs().max() / oracle.abs().max())


def to_sequence(x: Tensor) -> Tensor:
    """(N, C, h, w) -> (h * w, N, C), the layout inside transformers."""
    return x.flatten(2).permute(2, 0, 1)


def from_sequence(x: Tensor, height: int) -> Tensor:
    """(h * w, N, C) -> (N, C, h, w)."""
    return x.permute(1, 2, 0).unflatten(2, (height, -1))


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers, float32."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def some_features(pair: Pair, rows: int, seed: int = 0) -> Features:
    """Features of N rows without the cost of the trunk: noise round a mean that is each row's
    own."""
    dim, side = pair.ours.config.dim, pair.grid
    shapes = ((rows, dim, side), (rows, dim // 4, 2 * side), (rows, dim // 8, 4 * side))
    levels = []
    for k, (n, channels, cells) in enumerate(shapes, start=2 * seed):
        levels.append(
            noise(n, channels, cells, cells, seed=k) + noise(n, channels, 1, 1, seed=100 + k)
        )
    return Features(*levels)


def calibrate(pair: Pair, features: Features, prompts: PromptBatch) -> None:
    """Shift the presence and IoU heads and scale the single mask's, so that on these rows every
    choice goes both ways.

    The two models share their tensors, so both change.
    """
    decoder = pair.ours.mask_decoder
    balance_presence(pair, features, prompts)
    candidates, _ = _decode(pair, features, prompts)
    decoder.iou_head.last.bias -= candidates.ious.logit().mean(dim=0)
    head = decoder.mask_heads[0].last
    for gain in torch.logspace(0, -3, 61).tolist():
        scores = stability(candidates.logits[:, 0] * gain)
        gap = (scores - STABILITY_THRESHOLD).abs().min()
        if (
            (scores < STABILITY_THRESHOLD).any()
            and (scores >= STABILITY_THRESHOLD).any()
            and gap > 1e-3
        ):
            head.weight *= gain
            head.bias *= gain
            return
    raise AssertionError(
        "no scale of the single mask leaves some rows stable and some not; choose another seed"
    )


def balance_presence(pair: Pair, features: Features, prompts: PromptBatch) -> None:
    """Shift the presence head so that half of these rows are present."""
    _, object_logits = _decode(pair, features, prompts)
    pair.ours.mask_decoder.object_head.last.bias -= _middle(object_logits)


def _decode(pair: Pair, features: Features, prompts: PromptBatch) -> tuple[Candidates, Tensor]:
    encoder = pair.ours.prompt_encoder
    tokens, dense = encoder(prompts, pair.ours.image_size)
    return pair.ours.mask_decoder(features, tokens, dense, encoder.grid_code(pair.grid, pair.grid))


def _middle(values: Tensor) -> float:
    """A number with half of the values on either side, far from the nearest ones."""
    ordered = values.sort().values
    k = len(values) // 2
    return float((ordered[k - 1] + ordered[k]) / 2)


def _enliven(model: nn.Module, generator: torch.Generator) -> None:
    norms = {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.LayerNorm)
    }
    for name, tensor in model.state_dict().items():
        if name.endswith(".bias"):
            tensor.normal_(std=0.3, generator=generator)
        elif name in norms or name.endswith(".scale"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif _is_table(name):
            tensor.normal_(generator=generator)
        else:
            inputs = tensor.shape[0] if "upscale_conv" in name else tensor[0].numel()
            tensor.normal_(std=inputs**-0.5, generator=generator)
        for part, gain in GAINS.items():
            if re.search(part, name):
                tensor *= gain
    model.shared_image_embedding.positional_embedding.copy_(
        model.prompt_encoder.shared_embedding.positional_embedding
    )


def _is_table(name: str) -> bool:
    """Whether a tensor holds codes or tokens rather than the weights of a layer."""
    return not name.endswith(".weight") or name.endswith(
        ("_embed.weight", "_token.weight", "_tokens.weight")
    )


class Float32Torch:
    """``torch``, except that its bfloat16 is float32."""

    bfloat16 = torch.float32

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)


def keep_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the oracle keep its memories in float32 for one test: it rounds them to bfloat16, ours
    does not."""
    monkeypatch.setattr(modeling_sam2_video, "torch", Float32Torch())


def follow_meta(monkeypatch: pytest.MonkeyPatch, oracle: Sam2VideoModel) -> None:
    """Let the oracle treat a given mask as Meta's model does, for one test.

    transformers leaves out that the pointer is the single candidate's, and makes the mask hard
    before it is memorised although it does not come from clicks.
    """
    forward, encode = oracle._single_frame_forward, oracle._encode_new_memory

    def single_unless_asked(**given: object) -> object:
        return forward(**{"multimask_output": False, **given})

    def hard_if_clicked(
        *, pred_masks_high_res: Tensor, is_mask_from_pts: bool, **rest: Tensor
    ) -> object:
        was_given = bool((pred_masks_high_res.abs() == GIVEN_LOGIT).all())
        return encode(
            pred_masks_high_res=pred_masks_high_res,
            is_mask_from_pts=is_mask_from_pts and not was_given,
            **rest,
        )

    monkeypatch.setattr(oracle, "_single_frame_forward", single_unless_asked)
    monkeypatch.setattr(oracle, "_encode_new_memory", hard_if_clicked)
