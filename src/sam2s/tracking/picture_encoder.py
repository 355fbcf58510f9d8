"""From pictures to features, each once: the last ones are kept, and the next ones can be made on
another thread while a frame is tracked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2s.devices import upload
from sam2s.geometry import normalise, resize_to_model
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.cuda_graphs import CudaRecorder, Replayed
from sam2s.types import Features


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """``pixels`` (1, 3, S, S) uint8 on the CPU, and their ``features``, which a device has when
    ``ready`` has come to pass there; None: in the order of its own work."""

    pixels: Tensor
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
    """Encodes pictures of one tracker at its model's size. ``graphs``: as CUDA graphs."""

    def __init__(self, model: SAM2S, device: torch.device, *, graphs: bool) -> None:
        self._model, self._size, self._device = model, model.image_size, device
        self._encode: Callable[[Tensor], Features] = self._plainly
        self._encode_apart: Callable[[Tensor], Features] = self._plainly
        self._stream = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)
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
        pixels = resize_to_model(image, self._size)
        if self._last is None or not torch.equal(pixels, self._last.pixels):
            there = upload(pixels, self._device)
            self._last = Encoded(pixels.clone(), self._encode(there))
        return self._last.here()

    def encode_apart(self, image: np.ndarray) -> Encoded:
        """The same on another thread, and on a GPU beside its other work; changes nothing here."""
        pixels = resize_to_model(image, self._size)
        with self._aside():
            features = self._encode_apart(upload(pixels, self._device))
            ready = None if self._stream is None else self._stream.record_event()
        return Encoded(pixels, features, ready)

    def expect(self, image: np.ndarray, encoded: Encoded) -> None:
        """The next picture will be this very array, already ``encoded``."""
        self._expected = image, encoded

    def _plainly(self, pixels: Tensor) -> Features:
        return self._model.encode(normalise(pixels, self._device))

    def _aside(self) -> AbstractContextManager[Any]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
