"""Between observing and remembering: rules that judge masks see the candidates, and may choose
another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from sam2s.devices import upload
from sam2s.model.verbs import Verbs
from sam2s.types import Decoded, Sighting


def sightings_of(decoded: Decoded) -> tuple[Sighting, ...]:
    """What N rows show, as plain numbers and NumPy masks; two copies to the processor for all
    rows."""
    masks = (decoded.candidate_logits > 0).cpu().numpy()
    numbers = [decoded.candidate_ious, decoded.object_logits[:, None], decoded.chosen[:, None]]
    return tuple(
        Sighting(masks[i], tuple(ious), logit, int(chosen))
        for i, (*ious, logit, chosen) in enumerate(torch.cat(numbers, dim=1).tolist())
    )


def with_choices(
    model: Verbs, decoded: Decoded, sightings: tuple[Sighting, ...], choices: Sequence[int]
) -> tuple[Decoded, tuple[Sighting, ...]]:
    """N rows, and what was seen of them, with other candidates as their answers; the very same
    objects where the decoder's choice stands."""
    if all(choice == sighting.chosen for choice, sighting in zip(choices, sightings, strict=True)):
        return decoded, sightings
    index = upload(torch.tensor(choices), decoded.chosen.device)
    seen = tuple(replace(s, chosen=choice) for s, choice in zip(sightings, choices, strict=True))
    return model.choose(decoded, index), seen
