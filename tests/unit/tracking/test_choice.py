"""Rules that judge masks: what they see, and that their choice is what is shown, memorised and
previewed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch

from sam2s.memory.bank import Bank
from sam2s.memory.policy import Capacity, Needs
from sam2s.memory.recent import Recent
from sam2s.tracking.sightings import sightings_of, with_choices
from sam2s.tracking.tracker import Tracker
from sam2s.types import Features, Mask, Memory, Points, PromptBatch, Recollection, Sighting

CLICK = Points([[10, 24]], [1])


@dataclass(frozen=True)
class Stubborn:
    """SAM 2's memory, but always the same candidate; keeps what it was shown."""

    index: int | None = None
    recent: Recent = field(default_factory=Recent)
    seen: list[Sighting] = field(default_factory=list)
    needs: ClassVar = Needs(sightings=True)

    @property
    def capacity(self) -> Capacity:
        return self.recent.capacity

    def choose(self, bank: Bank, sighting: Sighting, now: int) -> int:
        return sighting.chosen if self.index is None else self.index

    def admit(self, bank: Bank, new: Memory) -> Bank:
        assert new.sighting is not None
        self.seen.append(new.sighting)
        return self.recent.admit(bank, replace(new, sighting=None))

    def select(self, bank: Bank, now: int) -> Recollection:
        return self.recent.select(bank, now)


def decode(model):
    torch.manual_seed(0)
    c, h = model.config.dim, model.image_size // 16
    features = Features(
        torch.randn(2, c, h, h),
        torch.randn(2, c // 4, 2 * h, 2 * h),
        torch.randn(2, c // 8, 4 * h, 4 * h),
    )
    with torch.inference_mode():
        return model.decode(model.recall(features, None), PromptBatch.none(2))


def test_choosing_takes_mask_iou_and_pointer_along(model):
    decoded = decode(model)
    with torch.inference_mode():
        same, other = (
            model.choose(decoded, decoded.chosen),
            model.choose(decoded, (decoded.chosen + 1) % 3),
        )
    assert torch.equal(same.mask_logits, decoded.mask_logits)
    assert torch.equal(same.pointer, decoded.pointer)
    for row, k in enumerate(other.chosen.tolist()):
        assert torch.equal(other.mask_logits[row], decoded.candidate_logits[row, k])
        assert other.iou[row] == decoded.candidate_ious[row, k]
    assert not torch.allclose(other.pointer, decoded.pointer)
    assert torch.equal(other.candidate_logits, decoded.candidate_logits)


def test_sightings_tell_what_was_decoded(model):
    decoded = decode(model)
    seen = sightings_of(decoded)[1]
    assert seen.masks.shape == (3, 16, 16)
    assert seen.masks.dtype == bool
    np.testing.assert_array_equal(seen.mask, (decoded.mask_logits[1] > 0).numpy())
    assert seen.ious == tuple(decoded.candidate_ious[1].tolist())
    assert seen.object_logit == decoded.object_logits[1].item()
    sightings = sightings_of(decoded)
    same, untouched = with_choices(model, decoded, sightings, decoded.chosen.tolist())
    assert same is decoded
    assert untouched is sightings


def test_what_is_seen_after_another_choice_is_what_is_decoded_then(model):
    decoded = decode(model)
    other = [(k + 1) % 3 for k in decoded.chosen.tolist()]
    with torch.inference_mode():
        chosen, seen = with_choices(model, decoded, sightings_of(decoded), other)
    for mine, theirs in zip(seen, sightings_of(chosen), strict=True):
        np.testing.assert_array_equal(mine.masks, theirs.masks)
        assert (mine.ious, mine.object_logit, mine.chosen) == (
            theirs.ious,
            theirs.object_logit,
            theirs.chosen,
        )


def test_a_rule_that_agrees_with_the_decoder_changes_nothing(model, video):
    plain, judged = Tracker(model, "recent"), Tracker(model, Stubborn())
    for i, frame in enumerate(video[:5]):
        prompts = {1: CLICK} if i == 0 else None
        np.testing.assert_array_equal(
            plain.step(frame, prompts).logits[1], judged.step(frame, prompts).logits[1]
        )


def test_the_choice_is_shown_previewed_and_remembered(model, video):
    plain, judged = Tracker(model, "recent"), Tracker(model, Stubborn(index=1))
    for tracker in (plain, judged):
        tracker.step(video[0], {1: CLICK})
    preview, shown, default = judged.preview(video[1]), judged.step(video[1]), plain.step(video[1])
    np.testing.assert_array_equal(preview.logits[1], shown.logits[1])
    seen = judged.policy.seen[-1]
    assert seen.chosen == 1
    np.testing.assert_array_equal(seen.mask, shown.logits[1] > 0)
    ours, theirs = judged.state.banks[1].tracked[-1], plain.state.banks[1].tracked[-1]
    assert ours.iou == seen.ious[1]
    assert theirs.iou == max(seen.ious)
    assert seen.ious[1] < max(seen.ious), (
        "the script needs a decoder that prefers another candidate"
    )
    assert not torch.equal(ours.pointer, theirs.pointer)
    assert not np.array_equal(shown.logits[1], default.logits[1])


def test_all_candidates_are_seen_beside_a_prompted_object(model, video):
    rule = Stubborn()
    tracker = Tracker(model, rule)
    tracker.step(video[0], {1: CLICK})
    mask = np.zeros((48, 80), bool)
    mask[10:30, 10:30] = True
    tracker.step(video[1], {2: Mask(mask)})
    tracked, given = rule.seen[-2:]
    assert len(tracked.masks) == 3
    assert len(given.masks) == 1
    assert given.mask.any()


@dataclass(frozen=True)
class Forgetful(Stubborn):
    """Chooses, but forgot to say that it needs sightings."""

    needs: ClassVar = Needs()


def test_a_rule_that_chooses_is_asked_whatever_it_says_it_needs(model, video):
    for rule in (Stubborn(index=1), Forgetful(index=1)):
        tracker = Tracker(model, rule)
        tracker.step(video[0], {1: CLICK})
        tracker.step(video[1])
        assert rule.seen[-1].chosen == 1
