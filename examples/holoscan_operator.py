"""A Holoscan operator that tracks: frames in, masks out. Type-checked, not run in the tests.

Needs NVIDIA's Holoscan SDK (`pip install holoscan`) and a GPU it supports. Put it between a video
source and Holoviz; its queue holds one frame, and a newer one takes the place of that:

    tracker = TrackOp(self, name="tracker", model="facebook/sam2.1-hiera-small")
    self.add_flow(source, tracker, {("output", "frame")})
    self.add_flow(tracker, viewer, {("masks", "receivers")})
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from holoscan.core import Fragment, IOSpec, Operator, OperatorSpec

import sam2s

Prompts = dict[int, Any]
"""{object id: sam2s.Points, Box or Mask}, pixels (x, y)."""


class TrackOp(Operator):  # type: ignore[misc]
    """``frame``: a tensor (H, W, 3) uint8 RGB, on the host or the GPU; ``masks``: a tensor
    (H, W, 1) uint8, the number of the object that each pixel belongs to, 0 for none.

    ``take_prompts`` is asked on every frame for prompts that came in since.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        model: str = "nano",
        take_prompts: Callable[[], Prompts] = dict,
        **kwargs: Any,
    ) -> None:
        self.tracker = sam2s.Tracker(sam2s.load_model(model), exclusive=True)
        self.take_prompts = take_prompts
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """One port in, with room for one frame, and one out."""
        spec.input("frame", size=1, policy=IOSpec.QueuePolicy.POP)
        spec.output("masks")

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Track one frame."""
        tensor = next(iter(op_input.receive("frame").values()))
        image = torch.from_dlpack(tensor).cpu().numpy()  # the one copy, where it lies on a GPU
        result = self.tracker.step(image, self.take_prompts())
        owner = np.zeros((image.shape[0], image.shape[1], 1), np.uint8)
        for object_id, mask in result.masks.items():
            owner[mask] = object_id
        op_output.emit({"masks": owner}, "masks")
