"""The tracker's core: three functions, no object, no hidden state.

``observe`` recalls and decodes and changes nothing, so a click preview is ``observe`` and nothing
else; ``commit`` memorises and admits; ``step`` is one after the other. The ``*_rows`` forms know
neither ids nor frames, only rows with their own bank and time: training unrolls clips through them
with the simulated user in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from sam2s.errors import InputError
from sam2s.geometry import mask_to_model
from sam2s.memory.bank import Bank, Chooser, Policy
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.choice import choose_rows, sight
from sam2s.tracking.rows import count_points, join_rows, prompt_batch, recollect
from sam2s.tracking.state import Observation, TrackState
from sam2s.types import (
    Box,
    Decoded,
    Features,
    Mask,
    Memory,
    Points,
    Prompt,
    PromptBatch,
    Sighting,
    Source,
    take_rows,
)

PRIOR_LIMIT = 32.0
"""Logits of the mask to be corrected are clamped to +-32 before they prompt the decoder, as SAM 2
does."""


def commit_rows(
    model: SAM2S,
    policy: Policy,
    banks: Sequence[Bank],
    now: Sequence[int],
    features: Features,
    decoded: Decoded,
    *,
    prompted: Sequence[bool],
    binarize: Tensor,
    sightings: Sequence[Sighting] | None = None,
) -> list[Bank]:
    """Memorise N decoded rows and admit each to its bank. ``features`` are the unconditioned ones
    of the frame; ``sightings`` what each row chose from, for rules that ask."""
    maps = model.memorize(features, decoded, binarize=binarize)
    object_logits, ious = decoded.object_logits.tolist(), decoded.iou.tolist()
    return [
        policy.admit(
            bank,
            Memory(
                time=now[i],
                source=Source.PROMPTED if prompted[i] else Source.TRACKED,
                map=maps[i],
                pointer=decoded.pointer[i],
                object_logit=object_logits[i],
                iou=ious[i],
                descriptor=features.stride16[i].detach(),
                sighting=None if sightings is None else sightings[i],
            ),
        )
        for i, bank in enumerate(banks)
    ]


def observe(
    model: SAM2S,
    policy: Policy,
    state: TrackState,
    features: Features,
    now: int,
    prompts: Mapping[int, Sequence[Prompt]] | None = None,
    prior: Mapping[int, Tensor] | None = None,
) -> Observation:
    """What the frame at ``now`` shows of every tracked or prompted object; ``state`` stays as it
    is.

    ``features``: the frame's, one row. ``prompts`` in source pixels; ``state.size`` must be known.
    ``prior``: {id: (4h, 4w) mask logits} to be corrected by the prompts, from an earlier preview;
    where it is missing, an object that is already tracked is corrected from what tracking alone
    says of this frame, as in SAM 2.
    """
    prompts = prompts or {}
    assert state.size is not None, (
        "the source's size must be in the state before a frame is observed"
    )
    ids = tuple(sorted({*state.banks, *prompts}))
    if not ids:
        raise InputError("nothing to track yet: prompt at least one object")
    rows = _Frame(model, policy, state, features, now)
    groups: list[tuple[list[int], Decoded]] = []
    sightings: dict[int, Sighting] = {}
    for kind, members in _group(ids, prompts).items():
        positions = [ids.index(i) for i in members]
        if kind == "none":
            groups.append((positions, rows.track(members)))
        elif kind == "mask":
            groups.append((positions, rows.adopt([prompts[i] for i in members])))
        else:
            groups.append((positions, rows.correct(members, prompts, prior or {})))
        if isinstance(
            policy, Chooser
        ):  # now: joining groups of unequal candidates keeps the chosen ones only
            sightings.update(zip(positions, sight(groups[-1][1]), strict=True))
    decoded = join_rows(groups, model.image_size)
    clicked = [i in prompts and not _is_mask(prompts[i]) for i in ids]
    return Observation(
        ids=ids,
        decoded=decoded,
        prompted=tuple(i in prompts for i in ids),
        binarize=torch.tensor(clicked, device=decoded.iou.device),
        sightings=tuple(sightings[k] for k in range(len(ids))) if sightings else None,
    )


def commit(
    model: SAM2S, policy: Policy, state: TrackState, features: Features, now: int, seen: Observation
) -> TrackState:
    """The state after ``seen`` was remembered; ``features``: the frame's, one row."""
    banks = commit_rows(
        model,
        policy,
        [state.banks.get(i, Bank()) for i in seen.ids],
        [now] * len(seen.ids),
        features.expand(len(seen.ids)),
        seen.decoded,
        prompted=seen.prompted,
        binarize=seen.binarize,
        sightings=seen.sightings,
    )
    return TrackState(
        clock=now, size=state.size, banks=MappingProxyType(dict(zip(seen.ids, banks, strict=True)))
    )


def step(
    model: SAM2S,
    policy: Policy,
    state: TrackState,
    features: Features,
    now: int,
    prompts: Mapping[int, Sequence[Prompt]] | None = None,
    prior: Mapping[int, Tensor] | None = None,
) -> tuple[TrackState, Observation]:
    """Observe, then commit."""
    seen = observe(model, policy, state, features, now, prompts, prior)
    return commit(model, policy, state, features, now, seen), seen


def check_prompts(prompts: Mapping[int, Sequence[Prompt]], size: tuple[int, int]) -> None:
    """``InputError`` for prompts outside a (height, width) picture, masks of another size, or
    senseless combinations."""
    height, width = size
    for object_id, given in prompts.items():
        if not given:
            raise InputError(
                f"object {object_id}: its prompt is empty; give clicks, a box or a mask"
            )
        if len(given) > 1 and any(isinstance(p, Mask) for p in given):
            raise InputError(
                f"object {object_id}: a mask is the answer by itself; give it without clicks or"
                " boxes"
            )
        for prompt in given:
            _check_prompt(object_id, prompt, height, width)


def _check_prompt(object_id: int, prompt: Prompt, height: int, width: int) -> None:
    if isinstance(prompt, Mask):
        if prompt.mask.shape != (height, width):
            shape = f"{prompt.mask.shape[1]}x{prompt.mask.shape[0]}"
            raise InputError(
                f"object {object_id}: the mask is {shape}, the picture {width}x{height}; give equal"
                " sizes"
            )
        return
    xy = prompt.xy if isinstance(prompt, Points) else prompt.xyxy.reshape(2, 2)
    # A box may end on the far edge; a click must name a pixel.
    slack = 0.0 if isinstance(prompt, Points) else 1.0
    inside = (xy >= 0).all() and (xy < (width + slack, height + slack)).all()
    if not inside:
        kind = "box" if isinstance(prompt, Box) else "click"
        where = xy.tolist()
        raise InputError(
            f"object {object_id}: {kind} {where} lies outside the picture of {width}x{height}"
            " pixels"
        )


class _Frame:
    """One frame seen by groups of objects: the arguments that every group shares."""

    def __init__(
        self, model: SAM2S, policy: Policy, state: TrackState, features: Features, now: int
    ) -> None:
        self.model, self.policy, self.state, self.features, self.now = (
            model,
            policy,
            state,
            features,
            now,
        )

    def recall(self, ids: Sequence[int]) -> Features:
        banks = [self.state.banks.get(i, Bank()) for i in ids]
        # Fixed shapes are for devices that compile or replay graphs; a CPU would only compute what
        # nobody remembers.
        fixed = self.features.stride16.device.type != "cpu"
        memory = recollect(self.policy, banks, [self.now] * len(ids), fixed=fixed)
        return self.model.recall(self.features.expand(len(ids)), memory)

    def track(self, ids: Sequence[int]) -> Decoded:
        return self._decode_tracked(self.recall(ids), ids)

    def _decode_tracked(self, recalled: Features, ids: Sequence[int]) -> Decoded:
        decoded = self.model.decode(
            recalled, PromptBatch.none(len(ids), self.features.stride16.device)
        )
        if not isinstance(self.policy, Chooser):
            return decoded
        banks = [self.state.banks.get(i, Bank()) for i in ids]
        return choose_rows(self.model, self.policy, banks, self.now, decoded)

    def adopt(self, prompts: Iterable[Sequence[Prompt]]) -> Decoded:
        device = self.features.stride16.device
        masks = [
            mask_to_model(p.mask, self.model.image_size, device)
            for (p,) in prompts
            if isinstance(p, Mask)
        ]
        return self.model.adopt(self.features.expand(len(masks)), torch.stack(masks))

    def correct(
        self,
        ids: Sequence[int],
        prompts: Mapping[int, Sequence[Prompt]],
        prior: Mapping[int, Tensor],
    ) -> Decoded:
        """Clicks and boxes: a first mask where nothing is known, else a correction of ``prior`` or
        of the tracked mask."""
        assert self.state.size is not None
        recalled = self.recall(ids)
        batch = prompt_batch(
            [prompts[i] for i in ids],
            self.state.size,
            self.model.image_size,
            recalled.stride16.device,
        )
        known = [k for k, i in enumerate(ids) if i in prior or i in self.state.banks]
        fresh = [k for k in range(len(ids)) if k not in known]
        groups = []
        if fresh:
            groups.append(
                (fresh, self.model.decode(take_rows(recalled, fresh), take_rows(batch, fresh)))
            )
        if known:
            some = take_rows(recalled, known)
            logits = self._prior_logits(some, [ids[k] for k in known], prior)
            asked = take_rows(batch, known)
            groups.append(
                (known, self.model.decode(some, PromptBatch(asked.coords, asked.labels, logits)))
            )
        return join_rows(groups, self.model.image_size)

    def _prior_logits(
        self, recalled: Features, ids: Sequence[int], prior: Mapping[int, Tensor]
    ) -> Tensor:
        if all(i in prior for i in ids):
            logits = torch.stack([prior[i].to(recalled.stride16.device) for i in ids])
        else:
            tracked = self._decode_tracked(recalled, ids).mask_logits
            logits = torch.stack(
                [prior[i].to(tracked) if i in prior else tracked[k] for k, i in enumerate(ids)]
            )
        return logits.clamp(-PRIOR_LIMIT, PRIOR_LIMIT)


def _group(ids: Sequence[int], prompts: Mapping[int, Sequence[Prompt]]) -> dict[str, list[int]]:
    """Object ids by what they can share a decoder call with: no prompt, a given mask, or equally
    many points."""
    groups: dict[str, list[int]] = {}
    for i in ids:
        given = prompts.get(i)
        kind = (
            "none"
            if given is None
            else "mask"
            if _is_mask(given)
            else f"{count_points(given)} points"
        )
        groups.setdefault(kind, []).append(i)
    return groups


def _is_mask(prompts: Sequence[Prompt]) -> bool:
    return any(isinstance(p, Mask) for p in prompts)
