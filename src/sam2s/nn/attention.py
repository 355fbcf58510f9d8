"""Multi-head attention with separate projections, optional rotary position codes and an optional
key mask."""

from __future__ import annotations

from torch import Tensor, nn

from sam2s.nn.attend import attend, averages_narrow_values
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
        q, k = self._split(self.q_proj(query)), self._split(self.k_proj(key))
        if rope is not None:
            q = rotate(q, rope, len(rope[0]))
            k = rotate(k, rope, rope_keys)
        dropout = self.dropout if self.training else 0.0
        if self._projects_late(q, k, value, mask, dropout):
            out = self.v_proj(attend(q, k, value[:, None], mask=mask)[:, 0])
        else:
            v = self._split(self.v_proj(value))
            out = attend(q, k, v, mask=mask, dropout=dropout).transpose(1, 2).flatten(2)
        return self.out_proj(out)

    def _projects_late(
        self, q: Tensor, k: Tensor, value: Tensor, mask: Tensor | None, dropout: float
    ) -> bool:
        """Whether values are averaged first and projected then: the weights of one head add up to
        one, so that the order does not matter, and memories are narrower before, and many more."""
        return (
            self.heads == 1
            and not dropout
            and value.shape[-1] < q.shape[-1]
            and averages_narrow_values(q, k, value[:, None], masked=mask is not None)
        )

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
