"""A batch unrolled all rows together is what the tracker's core makes of it, row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2s.clips.batch import ClipBatch, collate, load_clip
from sam2s.clips.clips import Clip
from sam2s.geometry import logits_to_source, normalise
from sam2s.masklets.masklets import open_masklets
from sam2s.memory.bank import Bank
from sam2s.memory.diverse import Diverse
from sam2s.memory.policy import Policy
from sam2s.memory.recent import Recent
from sam2s.memory.rehearsal import Rehearsal
from sam2s.model.presets import preset
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.tracking.core import Core
from sam2s.tracking.row_prompts import TRACKED, RowPrompt
from sam2s.tracking.rows import Observation, Rows
from sam2s.train.unroll import Script, UserConfig, unroll
from sam2s.train.user import boxes, clicks, draws
from sam2s.types import Features, Origin, PromptBatch, take_rows

USER = UserConfig(centred=0.5)
TIMES = {"one clock": ((0, 1, 2, 3),) * 2, "two clocks": ((0, 40, 41, 42), (0, -9, 7, 8))}


@pytest.fixture(scope="module")
def model() -> SAM2S:
    torch.manual_seed(0)
    return build_model(preset("nano", image_size=64)).eval()


def batch_of(squares: Path, times: tuple[tuple[int, ...], ...], long_term: int) -> ClipBatch:
    videos = open_masklets(squares).videos
    clips = [
        Clip("squares0", (2, 3, 4, 5), times[0], (1, 2), long_term),
        Clip("squares1", (3, 2, 1, 0), times[1], (1,), long_term),
    ]
    rng = np.random.default_rng(0)
    return collate([load_clip(videos[clip.video], clip, 64, None, rng) for clip in clips])


def reference(
    core: Core, batch: ClipBatch, features: Features, script: Script, rng: np.random.Generator
) -> list[torch.Tensor]:
    """The masks of every answer: rows with banks and prompts of their own."""
    moments = len(script.prompts) + sum(script.corrections.values())
    shares = (USER.careless, USER.centred)
    chance = iter(draws(rng, (moments, batch.rows), shares, torch.device("cpu")))
    banks, found = (Bank(),) * batch.rows, []
    for frame in script.order(batch.frames):
        own = take_rows(features, batch.clip_of_row * batch.frames + frame)
        masks, kind = batch.masks[frame], script.prompts.get(frame)
        prompts = (TRACKED,) * batch.rows
        if kind == "mask":
            prompts = tuple(RowPrompt(mask=mask) for mask in masks)
        elif kind is not None:
            said = boxes if kind == "box" else lambda truth, draw: clicks(truth, None, draw)
            prompts = with_points((RowPrompt(),) * batch.rows, said(masks, next(chance)))
        started = banks if kind is None else (Bank(),) * batch.rows
        seen = core.observe(Rows(own, started, tuple(batch.now(frame)), prompts))
        if kind != "mask":
            found.append(seen.decoded.mask_logits)
        for _ in range(script.corrections.get(frame, 0)):
            guess = logits_to_source(seen.decoded.mask_logits, (64, 64)) > 0
            more = with_points(seen.rows.prompts, clicks(masks, guess, next(chance)))
            rows = replace(seen.rows, prompts=more).correcting(seen.decoded.mask_logits)
            seen = core.observe(rows)
            found.append(seen.decoded.mask_logits)
        whole = replace(seen.rows, features=own, banks=banks)
        banks = core.commit(Observation(whole, seen.decoded))
    return found


def with_points(prompts: tuple[RowPrompt, ...], said: PromptBatch) -> tuple[RowPrompt, ...]:
    return tuple(
        replace(prompt, origin=Origin.PROMPTED).with_points(xy.numpy(), label.numpy())
        for prompt, xy, label in zip(prompts, said.coords, said.labels, strict=True)
    )


@pytest.mark.parametrize("times", sorted(TIMES))
@pytest.mark.parametrize(
    ("policy", "long_term"),
    [(Recent(future_pointers=True), 0), (Recent(maps=2, pointers=3), 2), (Diverse(), 0)],
)
@pytest.mark.parametrize(
    "script",
    [
        Script({0: "click"}, {0: 2, 2: 1}),
        Script({0: "box", 2: "click"}, {}),
        Script({0: "mask", 3: "mask"}, {}),
    ],
)
def test_all_rows_together_are_what_the_core_makes_of_each(
    model: SAM2S, squares: Path, times: str, policy: Policy, long_term: int, script: Script
) -> None:
    batch = batch_of(squares, TIMES[times], long_term)
    with torch.no_grad():
        features = model.encode(normalise(batch.images.flatten(0, 1)))
        rng, again = np.random.default_rng(5), np.random.default_rng(5)
        answers = unroll(model, policy, batch, features, script, USER, rng)
        touched = {*script.prompts, *script.corrections}
        far = sum(frame not in touched for frame in range(1, 1 + long_term))
        rule = Rehearsal(policy, far) if long_term else policy
        expected = reference(Core(model, rule, training=True), batch, features, script, again)
    assert len(answers) == len(expected)
    for answer, logits in zip(answers, expected, strict=True):
        torch.testing.assert_close(answer.decoded.mask_logits, logits, atol=1e-3, rtol=1e-4)
