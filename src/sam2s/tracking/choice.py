"""Between observing and remembering: rules that judge masks see the candidates, and may choose
another one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sam2s.memory.bank import Bank, Chooser
from sam2s.model.sam2s import SAM2S
from sam2s.types import Decoded, Sighting


def sight(decoded: Decoded) -> list[Sighting]:
    """What N rows show, as plain numbers and NumPy masks; one copy to the processor for all
    rows."""
    masks = (decoded.candidate_logits > 0).cpu().numpy()
    ious, logits, chosen = (
        decoded.candidate_ious.tolist(),
        decoded.object_logits.tolist(),
        decoded.chosen.tolist(),
    )
    return [Sighting(masks[i], tuple(ious[i]), logits[i], chosen[i]) for i in range(len(chosen))]


def choose_rows(
    model: SAM2S, rule: Chooser, banks: Sequence[Bank], now: int, decoded: Decoded
) -> Decoded:
    """The rows with the candidates that the rule prefers; the very same object when it prefers the
    decoder's."""
    seen = sight(decoded)
    chosen = [rule.choose(bank, sighting, now) for bank, sighting in zip(banks, seen, strict=True)]
    if chosen == [sighting.chosen for sighting in seen]:
        return decoded
    return model.choose(decoded, torch.tensor(chosen, device=decoded.chosen.device))
