"""From pictures to features, each once: the last ones are kept, and the next ones can be made on
another thread while a frame is tracked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2s.devices import upload
from sam2s.geometry import (
    normalise,
    resize_on_device,
    resize_to_model,
    resizes_on,
    tensor_ready,
)
from sam2s.model.compiled import compiled_encode
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.cuda_graphs import CudaRecorder, Replayed
from sam2s.types import Features, take_rows

CHANNELS = 3
WINDOW = 4
"""Frames of a file that a GPU encodes together: one alone leaves most of a large card idle."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What was ``given`` to the device, on the CPU, and its ``features``, which the device has when
    ``ready`` has come to pass there; None: in the order of its own work."""

    given: Tensor
    features: Features
    ready: torch.cuda.Event | None = None

    def here(self) -> Features:
        """The features, for work that the current thread gives the device from now on."""
        if self.ready is None:
            return self.features
        stream = torch.cuda.current_stream(self.features.stride16.device)
        stream.wait_event(self.ready)
        for spec in fields(self.features):
            tensor = getattr(self.features, spec.name)
            if tensor is not None:
                tensor.record_stream(stream)  # or their memory would be used anew too early
        return self.features


class PictureEncoder:
    """Encodes pictures of one tracker at its model's size. ``graphs``: as CUDA graphs;
    ``compiled``: through torch's compiler.

    ``window``: how many pictures are best encoded apart at a time.
    """

    def __init__(
        self, model: SAM2S, device: torch.device, *, graphs: bool, compiled: bool = False
    ) -> None:
        self._model, self._size, self._device = model, model.image_size, device
        self._compiled = compiled_encode(model) if compiled else None
        self._encode: Callable[[Tensor], Features] = self._plainly
        self._encode_apart: Callable[[Tensor], Features] = self._plainly
        self._stream = None
        self.window = 1
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)
            self.window = WINDOW
        if graphs:
            # One each, since a graph is not for two threads at a time.
            self._encode = Replayed(self._plainly, CudaRecorder(device))
            self._encode_apart = Replayed(self._plainly, CudaRecorder(device))
        self._last: Encoded | None = None
        self._expected: tuple[np.ndarray, Encoded] | None = None

    def forget(self) -> None:
        """Let go of the last picture."""
        self._last = self._expected = None

    def features(self, image: np.ndarray) -> Features:
        """Of an (H, W, 3) uint8 RGB picture. The last ones are kept, since a user clicks several
        times on one picture; it is recognised by its content, since a camera may write its next
        picture into the same array."""
        if self._expected is not None and self._expected[0] is image:
            self._last = self._expected[1]
            return self._last.here()
        given = self._given(image)
        if self._last is None or not torch.equal(given, self._last.given):
            features = self._encode(upload(given, self._device))
            self._last = Encoded(given.clone(), features)
        return self._last.here()

    def encode_apart(self, images: Sequence[np.ndarray]) -> list[Encoded]:
        """The same of several pictures on another thread, and on a GPU beside its other work;
        changes nothing here."""
        given = [self._given(image) for image in images]
        if len({one.shape for one in given}) > 1:
            given = [resize_to_model(image, self._size) for image in images]
        with self._aside():
            together = self._encode_apart(upload(torch.cat(given), self._device))
            ready = None if self._stream is None else self._stream.record_event()
        return [
            Encoded(given[k], take_rows(together, slice(k, k + 1)), ready)
            for k in range(len(images))
        ]

    def expect(self, image: np.ndarray, encoded: Encoded) -> None:
        """The next picture will be this very array, already ``encoded``."""
        self._expected = image, encoded

    def _given(self, image: np.ndarray) -> Tensor:
        """What goes to the device: (1, H, W, 3), or (1, 3, S, S) where the picture is resized
        before; both uint8, in their own order, since others are compared ten times as slowly."""
        if resizes_on(self._device, image.shape[:2], self._size):
            return torch.from_numpy(tensor_ready(image))[None]
        return resize_to_model(image, self._size).contiguous()

    def _plainly(self, given: Tensor) -> Features:
        if given.shape[-1] == CHANNELS:
            given = resize_on_device(given, self._size)
        encode = self._compiled or self._model.encode
        return encode(normalise(given, self._device))

    def _aside(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
