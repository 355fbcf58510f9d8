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
import torch.nn.functional as F
from torch import Tensor

from sam2s.clips.batch import ClipBatch
from sam2s.errors import InputError
from sam2s.memory.bank import Bank, Policy
from sam2s.memory.diverse import Diverse
from sam2s.memory.recent import Recent
from sam2s.memory.rehearsal import Rehearsal
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.annotator import Click, box_around, center_click, random_click
from sam2s.tracking.rows import recollect
from sam2s.tracking.step import PRIOR_LIMIT, commit_rows
from sam2s.types import Decoded, Features, PromptBatch, take_rows


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
    rollout = _Rollout(model, _clip_policy(policy, batch, script), batch, features, config, rng)
    *earlier, last = script.order(batch.frames)
    banks = [Bank()] * batch.rows
    for frame in earlier:
        decoded = rollout.observe(frame, banks, script)
        banks = rollout.commit(frame, banks, decoded, script)
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

    model: SAM2S
    policy: Policy
    batch: ClipBatch
    features: Features
    config: UserConfig
    rng: np.random.Generator
    answers: list[Answer] = field(default_factory=list)

    def observe(self, frame: int, banks: Sequence[Bank], script: Script) -> Decoded:
        """Decode ``frame`` from its prompt or from memory, and correct it as often as the script
        says."""
        features, masks = self._frame(frame), self.batch.masks[frame]
        prompt = script.prompts.get(frame)
        if prompt == "mask":
            decoded = self.model.adopt(features, masks.float())
            if decoded.semantic is not None:
                self.answers.append(Answer(frame, 0, decoded, given=True))
            return decoded
        # A frame prompted to begin with recalls nothing, even when another one was prompted before
        # it (SAM 2).
        memory = (
            None if prompt else recollect(self.policy, banks, self.batch.now(frame), fixed=False)
        )
        recalled = self.model.recall(features, memory)
        points = self._first_points(masks, prompt)
        decoded = self._decode(frame, 0, recalled, points)
        for click in range(1, script.corrections.get(frame, 0) + 1):
            points = _join(points, self._correction(masks, decoded))
            prior = decoded.mask_logits.clamp(-PRIOR_LIMIT, PRIOR_LIMIT)
            decoded = self._decode(frame, click, recalled, replace(points, mask_logits=prior))
        return decoded

    def commit(
        self, frame: int, banks: Sequence[Bank], decoded: Decoded, script: Script
    ) -> list[Bank]:
        """Remember what was decoded on ``frame``; every frame that the user touched is a
        conditioning memory."""
        touched = frame in script.prompts or frame in script.corrections
        rows = self.batch.rows
        return commit_rows(
            self.model,
            self.policy,
            banks,
            self.batch.now(frame),
            self._frame(frame),
            decoded,
            prompted=[touched] * rows,
            binarize=torch.zeros(rows, dtype=torch.bool, device=self.batch.masks.device),
        )

    def _frame(self, frame: int) -> Features:
        return take_rows(self.features, self.batch.clip_of_row * self.batch.frames + frame)

    def _decode(self, frame: int, clicks: int, recalled: Features, points: PromptBatch) -> Decoded:
        decoded = self.model.decode(recalled, points, fallback=False)
        self.answers.append(Answer(frame, clicks, decoded))
        return decoded

    def _first_points(self, masks: Tensor, prompt: str | None) -> PromptBatch:
        if prompt is None:
            return PromptBatch.none(self.batch.rows, masks.device)
        truths = masks.cpu().numpy()
        if prompt == "box" and all(truth.any() for truth in truths):
            corners = np.stack([box_around(truth, self.rng).xyxy.reshape(2, 2) for truth in truths])
            labels = np.tile([2, 3], (len(truths), 1))
            return PromptBatch(
                torch.from_numpy(corners.astype(np.float32)).to(masks.device),
                torch.from_numpy(labels).to(masks.device),
            )
        return _clicks([self._click(truth, None) for truth in truths], masks.device)

    @torch.no_grad()
    def _correction(self, masks: Tensor, decoded: Decoded) -> PromptBatch:
        logits = F.interpolate(
            decoded.mask_logits[:, None].float(),
            masks.shape[-2:],
            mode="bilinear",
            align_corners=False,
        )
        wrong = (logits[:, 0] > 0).cpu().numpy()
        pairs = zip(masks.cpu().numpy(), wrong, strict=True)
        return _clicks([self._click(truth, predicted) for truth, predicted in pairs], masks.device)

    def _click(self, truth: np.ndarray, predicted: np.ndarray | None) -> Click:
        careless, centred = self.rng.random(2) < (self.config.careless, self.config.centred)
        seen = None if careless else predicted
        return center_click(truth, seen) if centred else random_click(truth, seen, self.rng)


def _clicks(clicks: Sequence[Click], device: torch.device) -> PromptBatch:
    """One click a row, in model pixels (the masks of a batch are at model size)."""
    coords = torch.tensor([[(c.x, c.y)] for c in clicks], dtype=torch.float32, device=device)
    labels = torch.tensor([[int(c.positive)] for c in clicks], device=device)
    return PromptBatch(coords, labels)


def _join(before: PromptBatch, new: PromptBatch) -> PromptBatch:
    """The points given so far, then the new ones."""
    return PromptBatch(
        torch.cat([before.coords, new.coords], 1), torch.cat([before.labels, new.labels], 1)
    )
