"""ARL, ambiguity-resilient learning: soft labels where annotators disagree (paper section 3.4).

The hard mask is convolved with a small Gaussian, so that pixels on its border are asked for a
probability between 0 and 1 and the model is not trained into over-confidence there. The focal loss
then takes the soft label (see ``train.losses.focal_loss``: the weight |y - p| ** gamma is the usual
one where y is hard).

The paper leaves the resolution open; the label is softened on the grid of the loss, which is the
model's input size in the full recipe. At the picture's border the kernel is renormalised over the
pixels that exist, so a mask that is cut by the border stays certain there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.errors import InputError


@dataclass(frozen=True)
class SoftLabel:
    """A target transform: a ``size`` x ``size`` Gaussian of ``sigma`` loss pixels (paper: 5 and
    1.0).

    ``sigma`` 0 leaves the label hard, which is SAM 2's focal loss.
    """

    size: int = 5
    sigma: float = 1.0

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % 2 == 0 or self.sigma < 0:
            raise InputError(
                f"soft label: expected an odd size and sigma >= 0, got {self.size} and {self.sigma}"
            )

    def __call__(self, hard: Tensor) -> Tensor:
        """(N, h, w) float target in {0, 1} -> the soft label in [0, 1]."""
        if self.sigma == 0:
            return hard
        kernel = gaussian_kernel(self.size, self.sigma, hard.device)
        # Blurring a picture of ones counts, per pixel, how much of the kernel lies inside the
        # picture.
        inside = _blur(torch.ones_like(hard[:1]), kernel)
        return (_blur(hard, kernel) / inside).clamp(0, 1)


def gaussian_kernel(size: int, sigma: float, device: torch.device | str = "cpu") -> Tensor:
    """(size,) float32 Gaussian weights that sum to one; its outer product is the two-dimensional
    kernel."""
    offsets = torch.arange(size, dtype=torch.float32, device=device) - size // 2
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return weights / weights.sum()


def _blur(plane: Tensor, kernel: Tensor) -> Tensor:
    """(N, h, w) convolved with the separable kernel, zeros outside the picture."""
    half = len(kernel) // 2
    # One channel in and out; the kernel once as a column (1, 1, k, 1), once as a row (1, 1, 1, k).
    rows = F.conv2d(plane[:, None], kernel.view(1, 1, -1, 1), padding=(half, 0))
    return F.conv2d(rows, kernel.view(1, 1, 1, -1), padding=(0, half))[:, 0]
