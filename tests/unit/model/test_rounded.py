"""Weights that are rounded once are what autocast would make of them."""

from __future__ import annotations

from dataclasses import replace

import torch

from sam2s.geometry import image_to_model
from sam2s.model.presets import SemanticConfig
from sam2s.model.rounded import rounded_to_bf16
from sam2s.types import PromptBatch
from small import SMALL, small_model
from tiny import moving_square


def test_under_autocast_not_a_bit_differs():
    semantic = SemanticConfig(classes=("hook", "grasper"), bank="orthogonal", width=16)
    model = small_model(config=replace(SMALL, semantic=semantic))
    picture = image_to_model(moving_square(1)[0], 64)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    copy = rounded_to_bf16(model)
    found = []
    for network in (model, copy):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            features = network.encode(picture)
            decoded = network.decode(network.recall(features, None), PromptBatch.none(1))
            none = torch.zeros(1, dtype=torch.bool)
            maps = network.memorize(features, decoded, binarize=none)
            classes = network.semantic_head.classify(decoded)
        found.append([features.stride16, features.stride4, decoded.mask_logits, maps, classes])
    for plain, rounded in zip(*found, strict=True):
        assert torch.equal(plain, rounded)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert {p.dtype for p in copy.parameters()} == {torch.float32, torch.bfloat16}


def test_what_is_not_rounded_is_shared():
    model = small_model()
    copy = rounded_to_bf16(model)
    assert copy.no_object_pointer is model.no_object_pointer
    assert copy.memory_attention.norm.weight is model.memory_attention.norm.weight
    assert copy.pointer_proj.last.weight.dtype == torch.bfloat16
