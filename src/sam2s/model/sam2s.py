"""SAM2S, the container: its verbs act on N rows, a row being one object on one frame.

``encode`` a picture, ``recall`` an object's memory onto it, ``propose`` candidate masks,
``decode`` (propose, and pick one), ``choose`` another one, ``adopt`` a given mask instead,
``memorize`` the outcome.

No state, no frame index, no memory rule: the tracking loop decides what is remembered and recalled.
Every verb is differentiable.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam2s.errors import InputError
from sam2s.model.hiera import Hiera
from sam2s.model.image_encoder import ImageEncoder
from sam2s.model.mask_decoder import Candidates, MaskDecoder
from sam2s.model.memory_attention import MemoryAttention
from sam2s.model.memory_encoder import MemoryEncoder
from sam2s.model.presets import ModelConfig
from sam2s.model.prompt_encoder import PromptEncoder
from sam2s.model.semantic_head import SemanticHead
from sam2s.nn.blocks import MLP, init_weights
from sam2s.types import (
    CONDITIONING_SLOT,
    LONG_TERM_SLOT,
    Decoded,
    Features,
    MemoryBatch,
    PromptBatch,
)

STRIDE = 16
"""From model pixels to the cells of the grid that memory and decoder work on."""
ABSENT_LOGIT = -1024.0
"""Every mask logit of an object that is not in view (SAM 2)."""
GIVEN_LOGIT = 10.0
"""Mask logits of a given mask are plus and minus this (SAM 2)."""
MEMORY_GAIN = 20.0
MEMORY_OFFSET = -10.0
"""The memory encoder sees probability x gain + offset, so +-10 for a certain mask (SAM 2)."""


class SAM2S(nn.Module):
    """The network. ``config``: its shape and default memory rule; ``image_size``: default side of
    the input, pixels."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.image_size = config.image_size
        self.image_encoder = _image_encoder(config)
        self.prompt_encoder = PromptEncoder(config.dim)
        self.mask_decoder = MaskDecoder(
            config.dim,
            heads=config.decoder_heads,
            mlp_dim=config.decoder_mlp_dim,
            layers=config.decoder_layers,
            iou_dim=config.iou_head_dim,
        )
        self.memory_encoder = MemoryEncoder(
            config.dim, config.memory_dim, config.memory_encoder_layers
        )
        self.memory_attention = MemoryAttention(
            config.dim,
            config.memory_dim,
            mlp_dim=config.memory_mlp_dim,
            layers=config.memory_layers,
            slots=1 + (LONG_TERM_SLOT if config.long_term_embedding else CONDITIONING_SLOT),
            pointer_horizon=config.pointer_horizon,
            dropout=config.dropout,
        )
        self.given_mask_proj = nn.Conv2d(1, 1, kernel_size=4, stride=4)
        self.pointer_proj = MLP(config.dim, config.dim, config.dim, config.dim)
        self.no_object_pointer = nn.Parameter(torch.empty(config.dim))
        self.no_object_map = nn.Parameter(torch.empty(config.memory_dim))
        self.apply(init_weights)
        nn.init.trunc_normal_(self.no_object_pointer, std=0.02)
        nn.init.trunc_normal_(self.no_object_map, std=0.02)
        self.mask_decoder.init_presence()
        # Last, so that the same seed gives all other weights the same values with and without it.
        self.semantic_head = _semantic_head(config)

    def encode(self, image: Tensor) -> Features:
        """Pictures (B, 3, S, S) float32, normalised by ImageNet's mean and standard deviation, S a
        multiple of 32 -> features of B frames.

        Raises ``InputError`` for another shape, and where the weights are not float32.
        """
        if self.no_object_pointer.dtype != image.dtype:
            check_model(self)
        features: Features = self.image_encoder(image)
        return features

    def recall(self, features: Features, memory: MemoryBatch | None) -> Features:
        """Condition N rows on their memories; only ``stride16`` changes. Rows without memory (all
        rows where ``memory`` is None) get the no-memory embedding, as on a first frame. With TSL,
        ``semantic`` is set as well."""
        token = (
            None
            if self.semantic_head is None
            else self.semantic_head.tokens(features.stride16.shape[0])
        )
        stride16, token = self.memory_attention(features.stride16, memory, token)
        return replace(features, stride16=stride16, semantic=token)

    def propose(
        self, features: Features, prompts: PromptBatch, *, padded: bool = True
    ) -> tuple[Candidates, Tensor]:
        """All four candidates of N rows, before any is chosen, and the object logits (N,), > 0 = in
        view. ``padded`` False: no token at all stands for clicks where there are none, as in Meta's
        image predictor."""
        height, width = features.stride16.shape[2:]
        tokens, dense = self.prompt_encoder(prompts, STRIDE * height)
        if not padded and prompts.labels.shape[1] == 0:
            tokens = tokens[:, :0]
        if self.semantic_head is not None and features.semantic is None:
            # A given mask recalls nothing, so its features have no token yet.
            features = replace(
                features, semantic=self.semantic_head.tokens(features.stride16.shape[0])
            )
        code = self.prompt_encoder.grid_code(height, width)
        candidates, object_logits = self.mask_decoder(features, tokens, dense, code)
        return candidates, object_logits

    def decode(self, features: Features, prompts: PromptBatch, *, fallback: bool = True) -> Decoded:
        """Masks of N rows from recalled features and prompts in model pixels.

        Three candidates where there is at most one point (one click, or none), the one with the
        highest predicted IoU chosen; else the single candidate, replaced by the best of the three
        where it is unstable and ``fallback`` holds (inference). A row whose object is not in view
        has logits -1024 throughout and the no-object pointer.
        """
        candidates, object_logits = self.propose(features, prompts)
        if prompts.labels.shape[1] <= 1:
            candidates = candidates.ambiguous()
        else:
            threshold = self.config.stability_threshold
            candidates = candidates.single_or_best(threshold) if fallback else candidates.single()
        present = object_logits > 0
        chosen = candidates.ious.argmax(dim=1)
        rows = torch.arange(chosen.shape[0], device=chosen.device)
        logits = torch.where(present[:, None, None, None], candidates.logits, ABSENT_LOGIT)
        return Decoded(
            mask_logits=logits[rows, chosen],
            iou=candidates.ious[rows, chosen],
            object_logits=object_logits,
            pointer=self._pointer(candidates.tokens[rows, chosen], present),
            candidate_logits=logits,
            candidate_ious=candidates.ious,
            chosen=chosen,
            semantic=candidates.semantic,
            candidate_tokens=candidates.tokens,
        )

    def choose(self, decoded: Decoded, chosen: Tensor) -> Decoded:
        """The same rows with candidate ``chosen`` (N,) int64 as the answer: its mask, predicted IoU
        and pointer."""
        assert decoded.candidate_tokens is not None, (
            "rows can be chosen anew only while their candidates are kept"
        )
        rows = torch.arange(len(chosen), device=chosen.device)
        return replace(
            decoded,
            mask_logits=decoded.candidate_logits[rows, chosen],
            iou=decoded.candidate_ious[rows, chosen],
            pointer=self._pointer(
                decoded.candidate_tokens[rows, chosen], decoded.object_logits > 0
            ),
            chosen=chosen,
        )

    def adopt(self, features: Features, mask: Tensor) -> Decoded:
        """A given mask (N, S, S) float in {0, 1} is the answer of N rows: logits +-10, IoU 1,
        present where not empty.

        Its pointer comes from a SAM pass over the unconditioned ``features`` with the mask as a
        dense prompt, single candidate (Meta's code; transformers takes the pointer of the best of
        three candidates instead).
        """
        size = STRIDE * features.stride16.shape[2]
        if mask.shape[1:] != (size, size):
            raise InputError(
                f"given mask: got {tuple(mask.shape[1:])}, expected {(size, size)}, the size of the"
                " input"
            )
        full = (2.0 * mask - 1.0) * GIVEN_LOGIT
        coarse = F.interpolate(full[:, None], size=size // 4, mode="bilinear", antialias=True)
        dense = self.given_mask_proj(mask[:, None])[:, 0]
        prompts = replace(PromptBatch.none(len(mask), mask.device), mask_logits=dense)
        candidates, object_logits = self.propose(features, prompts)
        present = mask.flatten(1).any(dim=1)
        ones = torch.ones_like(candidates.ious[:, 0])
        return Decoded(
            mask_logits=coarse[:, 0],
            iou=ones,
            object_logits=torch.where(present, GIVEN_LOGIT, -GIVEN_LOGIT),
            pointer=self._pointer(candidates.tokens[:, 0], present & (object_logits > 0)),
            candidate_logits=coarse,
            candidate_ious=ones[:, None],
            chosen=torch.zeros_like(ones, dtype=torch.long),
            semantic=candidates.semantic,
            candidate_tokens=candidates.tokens[:, :1],
            input_logits=full,
        )

    def memorize(self, features: Features, decoded: Decoded, *, binarize: Tensor) -> Tensor:
        """The maps (N, C_m, h, w) by which N rows are remembered. ``features``: the unconditioned
        ones of the frame.

        ``binarize`` (N,) bool: the mask is cut at zero first, since a user saw and accepted it
        (inference only).
        """
        logits = decoded.input_logits
        if logits is None:
            size = STRIDE * features.stride16.shape[2]
            logits = F.interpolate(decoded.mask_logits[:, None], size=size, mode="bilinear")[:, 0]
        prob = torch.where(binarize[:, None, None], (logits > 0).to(logits.dtype), logits.sigmoid())
        maps = self.memory_encoder(features.stride16, prob * MEMORY_GAIN + MEMORY_OFFSET)
        absent = decoded.object_logits <= 0
        absence = self.no_object_map.view(1, -1, 1, 1)
        remembered: Tensor = maps + absent.to(maps.dtype).view(-1, 1, 1, 1) * absence
        return remembered

    def _pointer(self, tokens: Tensor, present: Tensor) -> Tensor:
        return torch.where(present[:, None], self.pointer_proj(tokens), self.no_object_pointer)


def check_model(model: object) -> SAM2S:
    """``model`` itself; InputError unless it is a SAM2S whose weights are float32; lower precision
    is a matter of autocast (``Tracker(precision="bf16")``)."""
    if not isinstance(model, SAM2S):
        raise InputError(f"model: expected what load_model gives, got {type(model).__name__}")
    dtypes = {p.dtype for p in model.parameters() if p.is_floating_point()} - {torch.float32}
    if dtypes:
        names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))
        raise InputError(
            f"model: its weights are {names}, expected float32; call model.float(), and"
            " Tracker(model, precision='bf16') for speed on a GPU"
        )
    return model


def copy_with_same_weights(model: SAM2S) -> SAM2S:
    """A network of its own whose parameters and buffers are those of ``model`` itself."""
    kept = [*model.parameters(), *model.buffers()]
    with torch.inference_mode(False):
        return deepcopy(model, {id(tensor): tensor for tensor in kept})


def build_model(config: ModelConfig) -> SAM2S:
    """A model of this shape with random starting weights, in training mode."""
    return SAM2S(config)


def _semantic_head(config: ModelConfig) -> SemanticHead | None:
    semantic = config.semantic
    if semantic is None:
        return None
    return SemanticHead(
        config.dim,
        classes=semantic.classes,
        bank=semantic.bank,
        width=semantic.width,
        seed=semantic.seed,
    )


def _image_encoder(config: ModelConfig) -> ImageEncoder:
    trunk = Hiera(
        width=config.trunk_dim,
        heads=config.trunk_heads,
        blocks=config.trunk_blocks,
        windows=config.trunk_windows,
        global_blocks=config.trunk_global_blocks,
        position_grid=config.trunk_position_grid,
        drop_path=config.drop_path,
    )
    return ImageEncoder(trunk, [config.trunk_dim * 2**stage for stage in range(4)], config.dim)
