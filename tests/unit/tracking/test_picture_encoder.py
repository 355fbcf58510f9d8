"""Pictures are encoded once, several together where that pays, and as the plain network does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sam2s.tracking.picture_encoder
from sam2s.geometry import image_to_model
from sam2s.tracking.picture_encoder import PictureEncoder
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Frame, Points

CPU = torch.device("cpu")


@pytest.fixture(params=[False, True])
def encoder(model, request, monkeypatch) -> PictureEncoder:
    """One that resizes before, and one that lets the device resize."""
    if request.param:
        monkeypatch.setattr(sam2s.tracking.picture_encoder, "resizes_on", lambda *_: True)
    return PictureEncoder(model, CPU, graphs=False)


@torch.inference_mode()
def test_what_is_encoded_together_is_what_is_encoded_alone(model, video, encoder):
    for image, together in zip(video[:3], encoder.encode_apart(video[:3]), strict=True):
        alone = model.encode(image_to_model(image, 64))
        assert torch.allclose(together.here().stride16, alone.stride16, atol=1e-5)
        assert torch.allclose(together.here().stride4, alone.stride4, atol=1e-5)


@torch.inference_mode()
def test_a_picture_is_known_by_what_it_shows(video, encoder):
    camera = video[0].copy()
    first = encoder.features(camera)
    assert encoder.features(camera.copy()) is first
    camera[:] = video[3]
    assert encoder.features(camera) is not first


@torch.inference_mode()
def test_pictures_of_several_sizes_can_be_encoded_together(model, video, encoder):
    images = [video[0], np.ascontiguousarray(video[1][:40])]
    for image, together in zip(images, encoder.encode_apart(images), strict=True):
        alone = model.encode(image_to_model(image, 64))
        assert torch.allclose(together.here().stride16, alone.stride16, atol=1e-5)


def test_windows_of_frames_give_the_same_track(model, video):
    prompts = {1: Points([[8, 24]], [1]), 2: Box([30, 10, 50, 30])}
    frames = [Frame(k, None, image) for k, image in enumerate(video[:11])]  # the last window: 3
    plain, windows = Tracker(model), Tracker(model)
    windows._encoder.window = 4
    seen = []
    for frame in windows.ahead(frames):
        found = windows.step(frame, prompts if frame.index == 0 else None)
        wanted = plain.step(frame, prompts if frame.index == 0 else None)
        assert np.allclose(found.logits[1], wanted.logits[1], atol=1e-3)
        seen.append(found.index)
    assert seen == list(range(11))
