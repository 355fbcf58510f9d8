"""The two-way transformer of SAM's mask decoder: tokens attend to the image, and the image to the
tokens."""

from __future__ import annotations

from torch import Tensor, nn

from sam2s.nn.attention import Attention
from sam2s.nn.blocks import MLP


class TwoWayBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, a perceptron on the tokens, image to tokens.

    ``first``: the first block's self-attention replaces the tokens, since they hold nothing but
    their codes yet.
    """

    def __init__(self, dim: int, heads: int, mlp_dim: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.token_to_image = Attention(dim, heads, inner_dim=dim // 2)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim, mlp_dim, dim)
        self.norm3 = nn.LayerNorm(dim)
        self.image_to_token = Attention(dim, heads, inner_dim=dim // 2)
        self.norm4 = nn.LayerNorm(dim)

    def forward(
        self, tokens: Tensor, image: Tensor, token_code: Tensor, image_code: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens (N, T, dim) and image (N, L, dim), each with its code; returns both, updated."""
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            coded = tokens + token_code
            tokens = tokens + self.self_attn(coded, coded, tokens)
        tokens = self.norm1(tokens)
        image_key = image + image_code
        tokens = self.norm2(tokens + self.token_to_image(tokens + token_code, image_key, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.image_to_token(image_key, tokens + token_code, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """``layers`` blocks and a last attention from the tokens to the image. The tokens are their own
    position codes."""

    def __init__(self, dim: int, heads: int, mlp_dim: int, layers: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            TwoWayBlock(dim, heads, mlp_dim, first=i == 0) for i in range(layers)
        )
        self.final_attn = Attention(dim, heads, inner_dim=dim // 2)
        self.final_norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, image: Tensor, image_code: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (N, T, dim), image (N, L, dim), code (1, L, dim) -> both, after attending to one
        another."""
        code = tokens
        for block in self.blocks:
            tokens, image = block(tokens, image, code, image_code)
        attended = self.final_attn(tokens + code, image + image_code, image)
        return self.final_norm(tokens + attended), image
