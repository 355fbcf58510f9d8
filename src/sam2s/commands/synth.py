"""``sam2s synth``: make synthetic surgical videos."""

from __future__ import annotations

from sam2s.commands.options import Synth
from sam2s.commands.terminal import say
from sam2s.synthetic import VideoSetSpec, synthesize


def run(options: Synth) -> int:
    """Make the videos that the folder does not hold yet."""
    wanted = VideoSetSpec(
        options.videos,
        options.frames,
        options.size,
        options.seed,
        options.procedure,
        options.split,
    )
    names = synthesize(options.out, wanted, workers=options.workers)
    say(f"{len(names)} video{'s' * (len(names) > 1)} of {options.frames} frames: {options.out}")
    return 0
