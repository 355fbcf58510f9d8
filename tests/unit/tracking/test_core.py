"""The core: observing changes nothing, rows do not depend on their company, and what was recalled
once serves every further click."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from sam2s.geometry import image_to_model
from sam2s.memory.all_rules import RULES
from sam2s.memory.bank import Bank
from sam2s.memory.policy import Needs
from sam2s.memory.recent import Recent
from sam2s.tracking.core import Core
from sam2s.tracking.row_prompts import PRIOR_LIMIT, TRACKED, RowKind, RowPrompt, prompt_batch
from sam2s.tracking.rows import Rows
from sam2s.types import Origin

CLICK = RowPrompt().with_points(np.array([[8, 32]]), np.array([1]))
BOX = RowPrompt().with_points(np.array([[4, 20], [16, 44]]), np.array([2, 3]))
MASK = RowPrompt(mask=torch.zeros(64, 64).index_fill(0, torch.arange(20, 40), 1.0))


@pytest.fixture(scope="module")
def frames(model, video):
    with torch.inference_mode():
        return [model.encode(image_to_model(picture, 64)) for picture in video[:3]]


@pytest.fixture
def known(model, frames) -> tuple[Core, tuple[Bank, ...]]:
    """A core, and the banks of three rows that were prompted in every way."""
    core = Core(model, Recent())
    with torch.inference_mode():
        seen = core.observe(Rows(frames[0], (Bank(),) * 3, (0,) * 3, (CLICK, BOX, MASK)))
        return core, core.commit(seen)


def test_observing_and_committing_leave_what_they_are_given(known, frames):
    core, banks = known
    rows = Rows(frames[1], banks, (1,) * 3, (TRACKED,) * 3)
    with torch.inference_mode():
        seen, again = core.observe(rows), core.observe(rows)
        after = core.commit(seen)
    assert torch.equal(seen.decoded.mask_logits, again.decoded.mask_logits)
    assert rows.recalled is None
    assert [len(bank) for bank in banks] == [1, 1, 1]
    assert [len(bank) for bank in after] == [2, 2, 2]
    assert [m.origin for m in after[0].prompted] == [Origin.PROMPTED]
    assert [m.origin for m in after[0].tracked] == [Origin.TRACKED]


def test_rows_of_every_kind_come_back_in_their_order(known, frames):
    core, banks = known
    prompts = (TRACKED, CLICK, MASK, BOX, CLICK)
    rows = Rows(frames[1], (*banks, Bank(), Bank()), (1,) * 5, prompts)
    assert rows.alike() == [[0], [1], [2], [3], [4]]
    assert replace(rows, prompts=(CLICK,) * 5).alike() == [[0, 1, 2], [3, 4]]
    with torch.inference_mode():
        together = core.observe(rows).decoded
        for k in range(5):
            alone = core.observe(rows.take([k])).decoded
            torch.testing.assert_close(
                together.mask_logits[k], alone.mask_logits[0], atol=2e-3, rtol=1e-3
            )
            assert together.iou[k] == pytest.approx(float(alone.iou[0]), abs=1e-4)


def test_a_click_on_a_known_object_corrects_what_memory_says(known, frames):
    core, banks = known
    rows = Rows(frames[1], banks[:1], (1,), (CLICK,))
    with torch.inference_mode():
        tracked = core.observe(replace(rows, prompts=(TRACKED,)))
        mine = core.observe(rows)
        same = core.observe(rows.correcting(tracked.decoded.mask_logits))
        fresh = core.observe(replace(rows, recalled=tracked.rows.recalled, banks=(Bank(),)))
    assert torch.equal(mine.decoded.mask_logits, same.decoded.mask_logits)
    assert not torch.allclose(mine.decoded.mask_logits, fresh.decoded.mask_logits)


def test_further_clicks_recall_nothing_anew(known, frames, monkeypatch):
    core, banks = known
    recall, calls = core.model.recall, []
    monkeypatch.setattr(core.model, "recall", lambda *a: calls.append(1) or recall(*a))
    with torch.inference_mode():
        seen = core.observe(Rows(frames[1], banks, (1,) * 3, (TRACKED,) * 3))
        for _ in range(3):
            rows = replace(seen.rows, prompts=(CLICK,) * 3)
            seen = core.observe(rows.correcting(seen.decoded.mask_logits))
    assert len(calls) == 1


def test_training_keeps_the_single_candidate_and_the_soft_mask(model, frames, monkeypatch):
    asked = {}
    decode, memorize = model.decode, model.memorize
    monkeypatch.setattr(
        model, "decode", lambda *a, **k: asked.update(k) or decode(*a, **k), raising=True
    )
    monkeypatch.setattr(model, "memorize", lambda *a, **k: asked.update(k) or memorize(*a, **k))
    for training in (False, True):
        core = Core(model, Recent(), training=training)
        with torch.inference_mode():
            core.commit(core.observe(Rows(frames[0], (Bank(),), (0,), (CLICK,))))
        assert asked["fallback"] is not training
        assert asked["binarize"].tolist() == [not training]


def test_kinds_of_rows_and_their_tensors():
    assert [p.kind for p in (TRACKED, CLICK, MASK)] == [
        RowKind.TRACKED,
        RowKind.POINTS,
        RowKind.MASK,
    ]
    both = BOX.with_points(CLICK.points, CLICK.labels)
    batch = prompt_batch([both, both], torch.device("cpu"))
    assert batch.labels.tolist() == [[2, 3, 1]] * 2
    assert batch.coords[0].tolist() == [[4, 20], [16, 44], [8, 32]]
    assert batch.mask_logits is None
    assert prompt_batch([TRACKED] * 2, torch.device("cpu")).coords.shape == (2, 0, 2)
    corrected = prompt_batch(
        [CLICK.correcting(torch.full((4, 4), 99.0))], torch.device("cpu")
    ).mask_logits
    assert corrected is not None
    assert corrected.unique().tolist() == [PRIOR_LIMIT]


@dataclass(frozen=True)
class Wanting:
    """SAM 2's rule, with needs of one's choice."""

    needs: Needs
    recent: Recent = field(default_factory=Recent)

    @property
    def capacity(self):
        return self.recent.capacity

    def admit(self, bank, new):
        return self.recent.admit(bank, new)

    def select(self, bank, now):
        return self.recent.select(bank, now)


@pytest.mark.parametrize("needs", [Needs(), Needs(descriptors=True), Needs(sightings=True)])
def test_memories_carry_what_the_rule_needs_and_nothing_else(model, frames, needs):
    core = Core(model, Wanting(needs))
    prompts = (CLICK, BOX, MASK)
    with torch.inference_mode():
        banks = core.commit(core.observe(Rows(frames[0], (Bank(),) * 3, (0,) * 3, prompts)))
        banks = core.commit(core.observe(Rows(frames[1], banks, (1,) * 3, (TRACKED,) * 3)))
    for memory in (m for bank in banks for m in bank.memories):
        assert (memory.descriptor is not None) == needs.descriptors
        assert (memory.sighting is not None) == needs.sightings
        if memory.descriptor is not None:
            frame = frames[memory.time].stride16[0]
            assert torch.equal(memory.descriptor, frame)


def test_every_rule_is_given_what_it_asks_for():
    asked = {name: kind().needs for name, kind in RULES.items()}
    assert {name for name, needs in asked.items() if needs.descriptors} == {"diverse"}
    assert {name for name, needs in asked.items() if needs.sightings} == {"distractor", "samurai"}
