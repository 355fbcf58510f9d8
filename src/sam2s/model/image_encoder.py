"""Picture -> features: the trunk, a feature pyramid, and the mask decoder's projections of the two
fine levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from sam2s.errors import InputError
from sam2s.types import Features

TOP_STRIDE = 32
"""Of the trunk's last stage: the side of the input must be a multiple of it."""


class ImageEncoder(nn.Module):
    """``trunk``: (B, 3, S, S) -> maps at strides 4, 8, 16, 32 with ``channels``; ``width``:
    channels of the result.

    Only the stride-16 level receives the coarser one (nearest neighbour, added); the two fine
    levels are lateral projections alone, as in SAM 2. Their second projection belongs to the mask
    decoder there; done here, it runs once per frame, however many objects and clicks follow.
    """

    def __init__(self, trunk: nn.Module, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.trunk = trunk
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, kernel_size=1) for c in channels)
        self.project4 = nn.Conv2d(width, width // 8, kernel_size=1)
        self.project8 = nn.Conv2d(width, width // 4, kernel_size=1)

    def forward(self, image: Tensor) -> Features:
        """(B, 3, S, S) float, ImageNet mean and std removed -> features. S must be a multiple of
        32."""
        _check_image(image)
        fine4, fine8, mid16, top32 = (
            lateral(x) for lateral, x in zip(self.laterals, self.trunk(image), strict=True)
        )
        return Features(
            stride16=mid16 + F.interpolate(top32, scale_factor=2.0, mode="nearest"),
            stride8=self.project8(fine8),
            stride4=self.project4(fine4),
        )


def _check_image(image: Tensor) -> None:
    square = image.ndim == 4 and image.shape[1] == 3 and image.shape[2] == image.shape[3]
    if not square or image.shape[2] == 0 or image.shape[2] % TOP_STRIDE:
        raise InputError(
            f"image: got shape {tuple(image.shape)}, expected (frames, 3, S, S) with S a multiple"
            f" of {TOP_STRIDE}; resize it first"
        )
