"""``sam2s evaluate``: score masks on disk against true masks."""

from __future__ import annotations

from sam2s.benchmark.evaluate import evaluate_folders
from sam2s.commands.options import Evaluate
from sam2s.commands.terminal import say


def run(options: Evaluate) -> int:
    """Score, and print the mean; everything else goes to ``--json``."""
    result = evaluate_folders(
        options.pred,
        options.gt,
        rules=options.rules,
        json=options.json,
        progress=True,
    )
    mean = result.board.mean
    assert mean is not None, "evaluate_folders refuses to score nothing"
    say(
        f"J&F {100 * mean.jf:.2f}  J {100 * mean.j:.2f}  F {100 * mean.f:.2f}  ({mean.frames} masks"
        " scored)"
    )
    absent = sum(result.missing.values())
    if absent:
        say(f"{absent} masks were not predicted and count as empty")
    for note in result.notes:
        say(f"note: {note}")
    if options.json is not None:
        say(f"all scores: {options.json}")
    return 0
