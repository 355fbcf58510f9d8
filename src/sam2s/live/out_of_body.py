"""Whether the camera is outside the patient, by the colours of the picture: a privacy aid, not a
safeguard.

Inside a body nearly everything lit is red to brown; a room, skin under room light and drapes are
not. The share of tissue-coloured pixels tells the two apart in the sets that were measured
(``docs/live.md``, ``scripts/out_of_body_table.py``); a face that fills the picture under a red lamp
would not be recognised, nor would a red room.
"""

from __future__ import annotations

import numpy as np

REDDER = 1.15
"""Red over green and over blue of a tissue-coloured pixel."""
LIT = 30
"""Brightest channel of a pixel that shows anything, of 255."""
TISSUE = 0.5
"""Share of tissue-coloured pixels among the lit ones below which a picture is out of the body."""
DARK = 0.02
"""A picture with a smaller share of lit pixels shows nothing, and counts as out of the body."""
SIDE = 96
"""Pixels of the longer side that are looked at."""
RETURN = 1.0
"""Seconds that pictures must look like the inside before they are shown again. They are blanked at
the first one that does not: better a second too many than a face."""


def tissue_share(image: np.ndarray) -> float:
    """Share of tissue-coloured pixels among the lit ones of (H, W, 3) uint8 RGB; 0 where next to
    nothing is lit."""
    step = max(1, round(max(image.shape[:2]) / SIDE))
    small = image[step // 2 :: step, step // 2 :: step].astype(np.float32)
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    lit = small.max(axis=-1) > LIT
    if lit.mean() < DARK:
        return 0.0
    tissue = (red > REDDER * green) & (red > REDDER * blue) & lit
    return float(tissue.sum() / lit.sum())


class BodyWatch:
    """Says frame by frame whether to blank: at once on leaving, after `RETURN` seconds back in."""

    def __init__(self) -> None:
        self._inside_since: float | None = None
        self._blank = True

    def blanks(self, image: np.ndarray, now: float) -> bool:
        """Whether the picture that came at ``now`` (seconds of any steady clock) is to be blanked.
        The first ones are, until the inside was seen for long enough."""
        if tissue_share(image) < TISSUE:
            self._inside_since, self._blank = None, True
        elif self._inside_since is None:
            self._inside_since = now
        elif now - self._inside_since >= RETURN:
            self._blank = False
        return self._blank
