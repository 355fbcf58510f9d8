"""``sam2s synth``: make synthetic surgical videos."""

from __future__ import annotations

from sam2s.commands.options import Synth
from sam2s.commands.terminal import say
from sam2s.synthetic import synthesize


def run(options: Synth) -> int:
    """Make the videos that the folder does not hold yet."""
    names = synthesize(
        options.out,
        videos=options.videos,
        frames=options.frames,
        size=options.size,
        seed=options.seed,
        procedure=options.procedure,
        split=options.split,
        progress=True,
        workers=options.workers,
    )
    say(f"{len(names)} video{'s' * (len(names) > 1)} of {options.frames} frames: {options.out}")
    return 0
