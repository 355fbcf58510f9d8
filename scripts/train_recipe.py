"""Run a training recipe in one process, or under ``torchrun --nproc-per-node 2 scripts/train_recipe.py ...``.

The same as ``sam2s train``, without the command-line library, for launchers that want a file.
"""

from __future__ import annotations

import argparse

from sam2s.recipes import recipe
from sam2s.train.loop import run_training


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--out", required=True)
    parser.add_argument("--data", default=None, help="where synthetic scenes are kept (default: OUT/data)")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    folder = run_training(recipe(arguments.recipe), arguments.out, resume=arguments.resume, data_dir=arguments.data)
    print(f"trained model: {folder}")


if __name__ == "__main__":
    main()
