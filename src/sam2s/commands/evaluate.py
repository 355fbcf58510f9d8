"""``sam2s evaluate``: score masks on disk against true masks."""

from __future__ import annotations

from sam2s.benchmark.evaluate import evaluate_folders
from sam2s.benchmark.report import scores_table
from sam2s.benchmark.selection import ObjectName, Selection
from sam2s.commands.options import Evaluate
from sam2s.commands.terminal import say, say_table


def run(options: Evaluate) -> int:
    """Score, and print the mean; everything else goes to ``--json``."""
    result = evaluate_folders(
        options.pred,
        options.gt,
        rules=options.rules,
        chosen=Selection(options.video, tuple(map(ObjectName.parse, options.object))),
        json=options.json,
        progress=True,
    )
    mean = result.board.mean
    assert mean is not None, "evaluate_folders refuses to score nothing"
    say(
        f"J&F {100 * mean.jf:.2f}  J {100 * mean.j:.2f}  F {100 * mean.f:.2f}  ({mean.frames} masks"
        " scored)"
    )
    for by in options.per:
        say_table(scores_table([result.to_json()], by))
    absent = sum(result.missing.values())
    if absent:
        say(f"{absent} masks were not predicted and count as empty")
    for note in result.notes:
        say(f"note: {note}")
    if options.json is not None:
        say(f"all scores: {options.json}")
    return 0
