"""A clip batch through the tracker's own core, with the simulated user between observing and
committing.

Source: SAM 2's training. The first frame (and with luck a second one) is prompted by one click, a
box or the mask itself; on up to two frames the user then corrects the mask click by click, each
click answered with the previous logits as mask prompt; all other frames are tracked. Prompted
frames are processed first, so a frame may remember the future. All rows of a batch follow one
script. Nothing is detached: the loss of a late frame reaches the memories it recalls and the image
encoder of the frames they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from sam2s.clips.batch import ClipBatch
from sam2s.errors import InputError
from sam2s.geometry import logits_to_source
from sam2s.memory.bank import Bank
from sam2s.memory.diverse import Diverse
from sam2s.memory.policy import Policy
from sam2s.memory.recent import Recent
from sam2s.memory.rehearsal import Rehearsal
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.annotator import Click, box_around, center_click, random_click
from sam2s.tracking.core import Core
from sam2s.tracking.row_prompts import FIRST_CORNER, SECOND_CORNER, TRACKED, RowPrompt
from sam2s.tracking.rows import Observation, Rows
from sam2s.types import Decoded, Features, Origin, take_rows


@dataclass(frozen=True)
class UserConfig:
    """What the simulated user does.

    ``mask`` and ``box``: shares of first prompts; the rest are clicks. ``prompted``: most frames
    prompted to begin with; ``corrected``: most frames corrected, the prompted ones among them; both
    drawn from 1 up to that number. ``clicks``: correction clicks on such a frame; ``correct``:
    share of clicked or boxed clips that are corrected. ``centred``: share of clicks placed by the
    evaluation rule (centre of the largest error), the rest uniformly in the error; ``careless``:
    share of clicks drawn from the object instead of the error. SAM 2: mask 0.5, box 0.25, 2
    prompted, 2 corrected, 7 clicks, always, 0 centred, 0.1 careless.
    """

    mask: float = 0.5
    box: float = 0.25
    prompted: int = 2
    corrected: int = 2
    clicks: int = 7
    correct: float = 1.0
    centred: float = 0.0
    careless: float = 0.1


@dataclass(frozen=True)
class Script:
    """One drawn course of events: how frames are prompted (``click``, ``box``, ``mask``) and how
    often corrected."""

    prompts: dict[int, str]
    corrections: dict[int, int]

    def order(self, frames: int) -> list[int]:
        """Frames in processing order: the prompted ones, then the others."""
        return [*self.prompts, *(t for t in range(frames) if t not in self.prompts)]

    def where_known(self, known: Sequence[bool]) -> Script:
        """The same without what the user does on later frames that are not ``known`` (T,): without
        an annotation the empty mask would be shown for an absent object."""
        prompts = {t: kind for t, kind in self.prompts.items() if t == 0 or known[t]}
        return Script(
            prompts, {t: clicks for t, clicks in self.corrections.items() if t == 0 or known[t]}
        )


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One decoding that the loss judges: ``frame`` of the clip, after ``clicks`` correction clicks.

    ``given``: the mask was the user's, so only what the object is (TSL) is left to judge.
    """

    frame: int
    clicks: int
    decoded: Decoded
    given: bool = False


def draw_script(config: UserConfig, frames: int, rng: np.random.Generator) -> Script:
    """Draw what the user does in a clip of ``frames`` frames. A single picture is never prompted by
    its own mask."""
    by_mask = frames > 1 and rng.random() < config.mask
    # A given mask is the answer: at least one frame must be left to be judged.
    most = min(config.prompted, frames - 1 if by_mask else frames)
    prompted = int(rng.integers(1, most + 1))
    extra = rng.choice(np.arange(1, frames), prompted - 1, replace=False).tolist()
    starts = [0, *extra]
    if by_mask:
        return Script(dict.fromkeys(starts, "mask"), {})
    share = config.box / max(1e-9, 1 - config.mask)
    prompts = {t: "box" if rng.random() < share else "click" for t in starts}
    if config.clicks == 0 or rng.random() >= config.correct:
        return Script(prompts, {})
    corrected = int(rng.integers(prompted, max(prompted, min(config.corrected, frames)) + 1))
    others = [t for t in range(frames) if t not in prompts]
    late = (
        rng.choice(others, corrected - prompted, replace=False).tolist()
        if corrected > prompted
        else []
    )
    return Script(prompts, dict.fromkeys([*starts, *late], config.clicks))


def unroll(
    model: SAM2S,
    policy: Policy,
    batch: ClipBatch,
    features: Features,
    script: Script,
    config: UserConfig,
    rng: np.random.Generator,
) -> list[Answer]:
    """Track every row of ``batch`` by ``script``; all decodings in processing order.

    ``features``: of all B x T frames, clip by clip. A given mask is the answer, so its frame has an
    `Answer` only in models that also say what the object is. ``rng`` places the clicks. On frames
    that are not annotated for all rows the user does nothing.
    """
    script = script.where_known(batch.annotated.all(dim=1).tolist())
    core = Core(model, _clip_policy(policy, batch, script), training=True)
    rollout = _Rollout(core, batch, features, config, rng)
    *earlier, last = script.order(batch.frames)
    banks: tuple[Bank, ...] = (Bank(),) * batch.rows
    for frame in earlier:
        banks = rollout.commit(frame, banks, rollout.observe(frame, banks, script))
    rollout.observe(last, banks, script)  # nobody recalls the last frame
    return rollout.answers


def _clip_policy(policy: Policy, batch: ClipBatch, script: Script) -> Policy:
    """The memory rule of one clip: on DiveMem's clips, those far frames that nobody touched are
    long-term memories."""
    if not batch.long_term:
        return policy
    touched = {*script.prompts, *script.corrections}
    far = sum(frame not in touched for frame in range(1, 1 + batch.long_term))
    recent = policy.recent if isinstance(policy, Diverse) else policy
    if not isinstance(recent, Recent):
        raise InputError(
            "training: DiveMem's clips need the rule recent or diverse, got"
            f" {type(policy).__name__}"
        )
    return Rehearsal(recent, far)


@dataclass
class _Rollout:
    """What stays the same through one unrolling, and the answers so far."""

    core: Core
    batch: ClipBatch
    features: Features
    config: UserConfig
    rng: np.random.Generator
    answers: list[Answer] = field(default_factory=list)

    def observe(self, frame: int, banks: tuple[Bank, ...], script: Script) -> Observation:
        """Decode ``frame`` from its prompt or from memory, and correct it as often as the script
        says; the last of these observations."""
        masks, first = self.batch.masks[frame], script.prompts.get(frame)
        rows = Rows(
            features=self._frame(frame),
            # A frame prompted to begin with recalls nothing, even when another one was prompted
            # before it (SAM 2).
            banks=banks if first is None else (Bank(),) * self.batch.rows,
            times=tuple(self.batch.now(frame)),
            prompts=self._first_prompts(masks, first),
        )
        seen = self.core.observe(rows)
        if first != "mask":
            self.answers.append(Answer(frame, 0, seen.decoded))
        elif seen.decoded.semantic is not None:
            self.answers.append(Answer(frame, 0, seen.decoded, given=True))
        for click in range(1, script.corrections.get(frame, 0) + 1):
            seen = self.core.observe(self._corrected(seen, masks))
            self.answers.append(Answer(frame, click, seen.decoded))
        return seen

    def commit(self, frame: int, banks: tuple[Bank, ...], seen: Observation) -> tuple[Bank, ...]:
        """Remember what was decoded on ``frame`` beside what ``banks`` hold, which a frame that was
        prompted to begin with did not recall."""
        return self.core.commit(
            replace(seen, rows=replace(seen.rows, features=self._frame(frame), banks=banks))
        )

    def _frame(self, frame: int) -> Features:
        """(N, ...) features of ``frame`` in every row's own clip."""
        return take_rows(self.features, self.batch.clip_of_row * self.batch.frames + frame)

    def _first_prompts(self, masks: Tensor, prompt: str | None) -> tuple[RowPrompt, ...]:
        if prompt is None:
            return (TRACKED,) * self.batch.rows
        if prompt == "mask":
            return tuple(RowPrompt(mask=mask) for mask in masks)
        truths = masks.cpu().numpy()
        if prompt == "box" and all(truth.any() for truth in truths):
            labels = np.array([FIRST_CORNER, SECOND_CORNER])
            boxes = [box_around(truth, self.rng) for truth in truths]
            # (4,) edges -> (2, 2): first corner, second corner.
            return tuple(RowPrompt().with_points(b.xyxy.reshape(2, 2), labels) for b in boxes)
        return tuple(_clicked(RowPrompt(), self._click(truth, None)) for truth in truths)

    def _corrected(self, seen: Observation, masks: Tensor) -> Rows:
        """The rows of ``seen`` with one more click each, where their masks differ from the true
        ``masks`` (N, S, S); what they recall stays as it is."""
        with torch.no_grad():
            size = self.batch.images.shape[-1]
            raised = logits_to_source(seen.decoded.mask_logits, (size, size))
            predicted = (raised > 0).cpu().numpy()
        prompts = tuple(
            _clicked(prompt, self._click(truth, guess))
            for prompt, truth, guess in zip(
                seen.rows.prompts, masks.cpu().numpy(), predicted, strict=True
            )
        )
        return replace(seen.rows, prompts=prompts).correcting(seen.decoded.mask_logits)

    def _click(self, truth: np.ndarray, predicted: np.ndarray | None) -> Click:
        careless, centred = self.rng.random(2) < (self.config.careless, self.config.centred)
        seen = None if careless else predicted
        return center_click(truth, seen) if centred else random_click(truth, seen, self.rng)


def _clicked(prompt: RowPrompt, click: Click) -> RowPrompt:
    """The prompt of a user with one more click; the masks of a batch are at model size."""
    before = replace(prompt, origin=Origin.PROMPTED)
    return before.with_points(np.array([[click.x, click.y]]), np.array([click.positive]))
