"""Run a training recipe in one process, or under ``torchrun --nproc-per-node 2
scripts/train_recipe.py ...``.

The same as ``sam2s train``, without the command-line library, for launchers that want a file
(``accelerate launch``).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from sam2s.errors import Sam2sError
from sam2s.recipes.train_recipe import TrainingRequest, train_recipe


def main() -> int:
    """Parse the arguments and train; exit code 2 and one line for what a user can mend."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument(
        "--data", action="append", default=[], help="a masklet folder of yours; may be repeated"
    )
    parser.add_argument("--model", default=None, help="weights to start from")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="replace one configured value",
    )
    parser.add_argument(
        "--scenes",
        type=Path,
        default=None,
        help="where synthetic scenes are kept (default: OUT/data)",
    )
    parser.add_argument("--resume", action="store_true")
    parser.add_argument(
        "--dry-run", action="store_true", help="stop after the checks and the estimate"
    )
    given = vars(parser.parse_args())
    given.update(data=tuple(given["data"]), settings=tuple(given.pop("set")))
    try:
        folder = train_recipe(TrainingRequest(**given))
    except Sam2sError as error:
        print(f"train_recipe: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    if os.environ.get("RANK", "0") == "0":
        print(f"trained model: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
