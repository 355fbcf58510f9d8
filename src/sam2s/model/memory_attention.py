"""Conditions a frame's features on an object's memory: maps of remembered frames, then object
pointers.

Shapes are fixed: every row has the same number of map slots and pointers, and a key mask says which
are in use.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2s.nn.attention import Attention
from sam2s.nn.blocks import MLP
from sam2s.nn.position import sine_grid, sine_time
from sam2s.nn.rope import Rope, axial_rope
from sam2s.types import MemoryBatch, with_rows, without_repeats

IMAGE_CODE_WEIGHT = 0.1
"""Share of the sine position code that is added to the image features (SAM 2)."""


class MemoryAttentionLayer(nn.Module):
    """Self-attention, attention to the memory, perceptron; each on the normed input and added to
    it."""

    def __init__(self, dim: int, memory_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.self_attn = Attention(dim, 1, dropout=dropout)
        self.norm2 = nn.LayerNorm(dim)
        self.cross_attn = Attention(dim, 1, kv_dim=memory_dim, dropout=dropout)
        self.norm3 = nn.LayerNorm(dim)
        self.mlp = MLP(dim, mlp_dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor | None,
        rope: Rope,
        rope_keys: int,
    ) -> Tensor:
        """Tokens (N, L, dim), memory keys and values (N, K, memory_dim). The leading grid of the
        tokens and the first ``rope_keys`` keys have a place in the picture; TSL's token behind the
        grid has none."""
        rows = x.shape[0]  # len() would tie an export to the number of its example
        x = without_repeats(x)  # what is the same in all rows is computed for one
        normed = self.norm1(x)
        x = x + self.dropout(
            self.self_attn(normed, normed, normed, rope=rope, rope_keys=len(rope[0]))
        )
        asked = with_rows(self.norm2(x), rows)
        x = x + self.dropout(
            self.cross_attn(asked, keys, values, rope=rope, rope_keys=rope_keys, mask=mask)
        )
        out: Tensor = x + self.dropout(self.mlp(self.norm3(x)))
        return out


class MemoryAttention(nn.Module):
    """``slots``: rows of the table of temporal codes; a slot beyond it takes the last row.
    ``pointer_horizon``: pointer ages are divided by it, in frames, before they are coded."""

    def __init__(
        self,
        dim: int,
        memory_dim: int,
        *,
        mlp_dim: int,
        layers: int,
        slots: int,
        pointer_horizon: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.pointer_horizon = pointer_horizon
        self.slot_embed = nn.Parameter(torch.empty(slots, memory_dim))
        self.pointer_time_proj = nn.Linear(dim, memory_dim)
        self.no_memory = nn.Parameter(torch.empty(dim))
        self.layers = nn.ModuleList(
            MemoryAttentionLayer(dim, memory_dim, mlp_dim, dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)
        nn.init.trunc_normal_(self.slot_embed, std=0.02)
        nn.init.trunc_normal_(self.no_memory, std=0.02)

    def forward(
        self, image: Tensor, memory: MemoryBatch | None, token: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Stride-16 features (N, dim, h, w) -> the same shape, conditioned. A row that remembers
        nothing gets the no-memory embedding instead; ``None`` says so of all rows.

        ``token`` (N, dim): TSL's x_c, which attends to the frame's tokens and to the memory like
        one of them, and is attended to by them; it comes back second, untouched in rows that
        remember nothing.
        """
        without = image + self.no_memory.view(1, -1, 1, 1)
        if memory is None:
            return without, token
        if memory.full:
            return self._attend(image, token, memory, None)
        # A map becomes h * w tokens, a pointer as many as it is wider than a memory token.
        cells = image.shape[2] * image.shape[3]
        maps_used = memory.map_mask.repeat_interleave(cells, dim=1)
        pointers_used = memory.pointer_mask.repeat_interleave(self._parts(memory), dim=1)
        used = torch.cat([maps_used, pointers_used], dim=1)
        known = used.any(dim=1)
        # Empty rows are opened: a softmax over nothing is NaN, and their result is not used.
        opened = (used | ~known[:, None])[:, None, None]
        conditioned, informed = self._attend(image, token, memory, opened)
        if token is not None and informed is not None:
            token = torch.where(known[:, None], informed, token)
        return torch.where(known.view(-1, 1, 1, 1), conditioned, without), token

    def _attend(
        self, image: Tensor, token: Tensor | None, memory: MemoryBatch, mask: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        rows, dim, height, width = image.shape
        code = sine_grid(dim, height, width, image.device)
        if token is None or token.stride(0) == 0:
            image = without_repeats(image)  # the objects of one frame see the same
        x = image.flatten(2).transpose(1, 2) + IMAGE_CODE_WEIGHT * code
        if token is not None:
            x = torch.cat([x, token[: x.shape[0], None].to(x.dtype)], dim=1)
        x = with_rows(x, rows)
        values, codes = self._tokens(memory)
        keys = values + codes
        rope = axial_rope(dim, height, width, image.device)
        rope_keys = memory.maps.shape[1] * height * width
        for layer in self.layers:
            x = layer(x, keys, values, mask, rope, rope_keys)
        x, cells = self.norm(x), height * width
        grid = x[:, :cells].transpose(1, 2).reshape(rows, dim, height, width)
        return grid, None if token is None else x[:, cells]

    def _tokens(self, memory: MemoryBatch) -> tuple[Tensor, Tensor]:
        """Memory tokens and their codes, each (N, K * h * w + P * parts, memory_dim): maps first,
        pointers last."""
        channels, height, width = memory.maps.shape[2:]
        maps = memory.maps.flatten(3).transpose(2, 3)  # (N, K, h * w, memory_dim)
        place = sine_grid(channels, height, width, maps.device)
        time = self.slot_embed[memory.slots.clamp(max=len(self.slot_embed) - 1)]
        map_codes = place + time[:, :, None]
        # A pointer is wider than a memory token: it is cut into several, which share one time code.
        pointers = memory.pointers.unflatten(-1, (-1, channels)).flatten(1, 2)
        ages = sine_time(memory.ages / self.pointer_horizon, memory.pointers.shape[-1])
        age_codes = self.pointer_time_proj(ages).repeat_interleave(self._parts(memory), dim=1)
        tokens = torch.cat([maps.flatten(1, 2), pointers.to(maps.dtype)], dim=1)
        return tokens, torch.cat([map_codes.flatten(1, 2), age_codes], dim=1)

    @staticmethod
    def _parts(memory: MemoryBatch) -> int:
        """Memory tokens per pointer."""
        return memory.pointers.shape[-1] // memory.maps.shape[2]
