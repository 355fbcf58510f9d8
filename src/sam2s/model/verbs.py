"""What a tracker asks of a network on a frame: of the network itself, or of a faster way to the
same numbers (``sam2s.tracking.cuda_graphs``)."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from sam2s.types import Decoded, Features, MemoryBatch, PromptBatch


class Verbs(Protocol):
    """The verbs of ``SAM2S``; see there for what each one does."""

    @property
    def image_size(self) -> int:
        """Default side of the input, pixels."""
        ...

    def encode(self, image: Tensor) -> Features:
        """Features of B pictures."""
        ...

    def recall(self, features: Features, memory: MemoryBatch | None) -> Features:
        """Condition N rows on their memories."""
        ...

    def decode(self, features: Features, prompts: PromptBatch, *, fallback: bool = True) -> Decoded:
        """Masks of N rows from recalled features and prompts."""
        ...

    def choose(self, decoded: Decoded, chosen: Tensor) -> Decoded:
        """The same rows with another candidate as the answer."""
        ...

    def adopt(self, features: Features, mask: Tensor) -> Decoded:
        """A given mask as the answer of N rows."""
        ...

    def memorize(self, features: Features, decoded: Decoded, *, binarize: Tensor) -> Tensor:
        """The maps by which N rows are remembered."""
        ...
