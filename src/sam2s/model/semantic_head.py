"""TSL's side of the network: the token that carries what an object is, and the bank of class names
it is compared with.

The token x_c rides through memory attention and mask decoder (paper section 3.3) and comes out as
x'_c. Here it is projected to the width of the bank and compared with every class name by its
cosine. The paper leaves the projection's shape open; it is one linear layer, since the decoder
before it is deep.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam2s.errors import InputError
from sam2s.nn.blocks import init_weights
from sam2s.types import Decoded

LOGIT_SCALE = 100.0
"""Cosines are multiplied by it before the softmax (paper: tau = 100, after OVSeg)."""


class SemanticHead(nn.Module):
    """``dim``: channels of the tokens; ``classes``: K names; ``width``: channels of the bank.

    ``bank``: ``text`` is frozen and empty (NaN) until ``fill`` or a checkpoint brings the
    embeddings of the names; ``orthogonal`` is K frozen orthonormal directions drawn from ``seed``;
    ``learnable`` starts there and is trained.
    """

    text_embed: Tensor

    def __init__(
        self, dim: int, *, classes: Sequence[str], bank: str, width: int, seed: int
    ) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.token = nn.Parameter(torch.randn(dim))
        self.projection = nn.Linear(dim, width)
        self.apply(init_weights)
        if bank == "text":
            self.register_buffer("text_embed", torch.full((len(self.classes), width), torch.nan))
        elif bank == "orthogonal":
            self.register_buffer("text_embed", orthogonal_bank(len(self.classes), width, seed))
        else:
            self.text_embed = nn.Parameter(orthogonal_bank(len(self.classes), width, seed))

    @torch.no_grad()
    def fill(self, bank: Tensor) -> None:
        """Take over the embeddings (K, width) of the class names. ``InputError`` for another shape
        or NaN."""
        if bank.shape != self.text_embed.shape or not torch.isfinite(bank).all():
            wanted = tuple(self.text_embed.shape)
            raise InputError(
                f"text bank: got {tuple(bank.shape)}, expected finite numbers of shape {wanted}"
            )
        self.text_embed.copy_(bank)

    def tokens(self, rows: int) -> Tensor:
        """x_c for N rows, (N, C)."""
        return self.token.expand(rows, -1)

    def logits(self, semantic: Tensor) -> Tensor:
        """x'_c (N, C) -> scaled cosines to all class names (N, K), float32 whatever the precision
        around it."""
        with torch.autocast(semantic.device.type, enabled=False):
            directions = F.normalize(self.projection(semantic.float()), dim=-1)
            return LOGIT_SCALE * directions @ F.normalize(self.text_embed, dim=-1).T

    def classify(self, decoded: Decoded) -> Tensor:
        """Probability of each class name (N, K), float32, rows sum to one. ``decoded``: of a model
        with this head."""
        assert decoded.semantic is not None, "decoded by a model without a semantic head"
        return self.logits(decoded.semantic).softmax(dim=-1)


def orthogonal_bank(classes: int, width: int, seed: int) -> Tensor:
    """(K, width) float32 orthonormal rows, a pure function of the arguments."""
    # On the CPU even where a model is built without values (the meta device); a generator of its
    # own leaves torch's randomness alone.
    draw = torch.randn(
        width, classes, generator=torch.Generator("cpu").manual_seed(seed), device="cpu"
    )
    columns: Tensor = torch.linalg.qr(draw.double()).Q  # (width, K)
    return columns.T.float().contiguous()
