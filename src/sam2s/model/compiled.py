"""The image encoder through torch's compiler."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sam2s.errors import InputError
from sam2s.model.sam2s import SAM2S
from sam2s.types import Features


def compiled_encode(model: SAM2S) -> Callable[[Tensor], Features]:
    """``model.encode``, compiled for every number of pictures when they first come, which takes a
    minute or so; the same numbers up to rounding.

    Raises ``InputError`` at the first call where this machine cannot compile: a C++ compiler is
    needed on a CPU, Triton on CUDA.
    """
    encode = torch.compile(model.encode, dynamic=False)

    def called(image: Tensor) -> Features:
        try:
            features: Features = encode(image)
        except torch._dynamo.exc.TorchDynamoException as error:
            why = (str(error).strip().splitlines() or ["no reason given"])[0]
            raise InputError(
                f"compiling the model: torch could not ({why}); install what is missing, or leave"
                " --compile out"
            ) from error
        return features

    return called
