"""A clip batch through the network as a tracker leads it, frame by frame, with the simulated user
between observing and remembering.

Source: SAM 2's training. The first frame (and with luck a second one) is prompted by one click, a
box or the mask itself; on up to two frames the user then corrects the mask click by click, each
click answered with the previous logits as mask prompt; all other frames are tracked. Prompted
frames are processed first, so a frame may remember the future. All rows of a batch follow one
script. Nothing is detached: the loss of a late frame reaches the memories it recalls and the image
encoder of the frames they came from.

All rows take every step together, as tensors on their device (`sam2s.train.user`,
`sam2s.train.clip_memory`): nothing is asked of the device on the way, so that Python stays ahead of
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sam2s.clips.batch import ClipBatch
from sam2s.errors import InputError
from sam2s.geometry import logits_to_source
from sam2s.memory.diverse import Diverse
from sam2s.memory.policy import Policy
from sam2s.memory.recent import Recent
from sam2s.memory.rehearsal import Rehearsal
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.row_prompts import PRIOR_LIMIT
from sam2s.train.clip_memory import ClipMemory, clip_memory
from sam2s.train.user import Draw, boxes, clicks, draws
from sam2s.types import Decoded, Features, Origin, PromptBatch


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
    script = script.where_known([bool(known.all()) for known in batch.known.annotated])
    memory = clip_memory(model, _clip_policy(policy, batch, script), batch)
    moments = len(script.prompts) + sum(script.corrections.values())
    chance = draws(
        rng, (moments, batch.rows), (config.careless, config.centred), batch.images.device
    )
    rollout = _Rollout(model, batch, _by_frame(features, batch), memory, iter(chance))
    *earlier, last = script.order(batch.frames)
    for frame in earlier:
        decoded, origin = rollout.observe(frame, script)
        memory.keep(frame, origin, rollout.features(frame), decoded)
    rollout.observe(last, script)  # nobody recalls the last frame
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


def _by_frame(features: Features, batch: ClipBatch) -> tuple[Features, ...]:
    """Features of B x T frames, clip by clip -> T times those of B clips."""
    levels = (features.stride16, features.stride8, features.stride4)
    # Taken apart once: the gradients of all frames then come back in one piece.
    parts = (level.unflatten(0, (-1, batch.frames)).unbind(1) for level in levels)
    return tuple(Features(*some) for some in zip(*parts, strict=True))


@dataclass
class _Rollout:
    """What stays the same through one unrolling, and the answers so far. ``by_frame``: T times the
    features of B clips; ``chance``: of the user's clicks and boxes, in their order."""

    model: SAM2S
    batch: ClipBatch
    by_frame: tuple[Features, ...]
    memory: ClipMemory
    chance: Iterator[Draw]
    answers: list[Answer] = field(default_factory=list)

    def observe(self, frame: int, script: Script) -> tuple[Decoded, Origin]:
        """Decode ``frame`` from its prompt or from memory, and correct it as often as the script
        says; the last of these decodings, and how it is to be remembered."""
        masks, first = self.batch.masks[frame], script.prompts.get(frame)
        features = self.features(frame)
        if first == "mask":
            decoded = self.model.adopt(features, masks.float())
            if decoded.semantic is not None:
                self.answers.append(Answer(frame, 0, decoded, given=True))
            return decoded, Origin.PROMPTED
        # A frame prompted to begin with recalls nothing, even when another one was prompted before
        # it (SAM 2).
        recalled = self.model.recall(features, None if first else self.memory.recall(frame))
        prompts = self._first_prompts(frame, first)
        decoded = self.model.decode(recalled, prompts, fallback=False)
        self.answers.append(Answer(frame, 0, decoded))
        corrections = script.corrections.get(frame, 0)
        for click in range(1, corrections + 1):
            prompts = self._corrected(prompts, decoded, masks)
            decoded = self.model.decode(recalled, prompts, fallback=False)
            self.answers.append(Answer(frame, click, decoded))
        return decoded, Origin.PROMPTED if first or corrections else Origin.TRACKED

    def features(self, frame: int) -> Features:
        """(N, ...) features of ``frame`` in every row's own clip."""
        clips, rows = self.by_frame[frame], self.batch.clip_of_row
        levels = (clips.stride16, clips.stride8, clips.stride4)
        return Features(*(level.index_select(0, rows) for level in levels))

    def _first_prompts(self, frame: int, kind: str | None) -> PromptBatch:
        masks = self.batch.masks[frame]
        if kind is None:
            return PromptBatch.none(self.batch.rows, masks.device)
        if kind == "box" and self.batch.known.visible[frame].all():
            return boxes(masks, next(self.chance))
        return clicks(masks, None, next(self.chance))

    @torch.no_grad()
    def _predicted(self, decoded: Decoded) -> Tensor:
        size = self.batch.images.shape[-1]
        return logits_to_source(decoded.mask_logits, (size, size)) > 0

    def _corrected(self, prompts: PromptBatch, decoded: Decoded, masks: Tensor) -> PromptBatch:
        """``prompts`` with one more click each, where what was ``decoded`` differs from the true
        ``masks`` (N, S, S), and its logits as the mask to be corrected."""
        click = clicks(masks, self._predicted(decoded), next(self.chance))
        return PromptBatch(
            torch.cat([prompts.coords, click.coords], dim=1),
            torch.cat([prompts.labels, click.labels], dim=1),
            decoded.mask_logits.clamp(-PRIOR_LIMIT, PRIOR_LIMIT),
        )
