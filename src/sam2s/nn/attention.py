"""Multi-head attention with separate projections, optional rotary position codes and an optional
key mask."""

from __future__ import annotations

from torch import Tensor, nn

from sam2s.nn.attend import attend
from sam2s.nn.rope import Rope, rotate


class Attention(nn.Module):
    """Scaled dot-product attention of queries (N, Q, dim) over keys and values (N, K, kv_dim).

    ``inner_dim`` (default ``dim``) is the width in which attention runs, split over ``heads``.
    ``dropout`` acts on the attention weights in training mode.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        inner_dim: int | None = None,
        kv_dim: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        inner_dim, kv_dim = inner_dim or dim, kv_dim or dim
        if inner_dim % heads:
            raise ValueError(f"attention width {inner_dim} cannot be split over {heads} heads")
        self.heads = heads
        self.dropout = dropout
        self.q_proj = nn.Linear(dim, inner_dim)
        self.k_proj = nn.Linear(kv_dim, inner_dim)
        self.v_proj = nn.Linear(kv_dim, inner_dim)
        self.out_proj = nn.Linear(inner_dim, dim)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        rope: Rope | None = None,
        rope_keys: int = 0,
        mask: Tensor | None = None,
    ) -> Tensor:
        """(N, Q, dim). ``rope`` rotates the leading grid of the queries and the first ``rope_keys``
        keys; tokens behind them have no place in the picture. ``mask``: bool, broadcasts to (N,
        heads, Q, K), True = may be attended to.
        """
        # Each (N, heads, length, inner_dim / heads).
        q, k, v = (
            self._split(self.q_proj(query)),
            self._split(self.k_proj(key)),
            self._split(self.v_proj(value)),
        )
        if rope is not None:
            q = rotate(q, rope, len(rope[0]))
            k = rotate(k, rope, rope_keys)
        dropout = self.dropout if self.training else 0.0
        out = attend(q, k, v, mask=mask, dropout=dropout)
        return self.out_proj(out.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
