"""``sam2s train``: carry out a recipe."""

from __future__ import annotations

from sam2s.commands.options import Train
from sam2s.errors import InputError


def run(options: Train) -> int:
    """Train, and say where the model is."""
    try:
        from sam2s.recipes import recipe
        from sam2s.train.loop import run_training
    except ModuleNotFoundError as error:
        raise InputError(f"training needs {error.name}; install it with pip install 'sam2s[train]'") from error
    model = run_training(recipe(options.recipe), options.out, resume=options.resume, data_dir=options.data)
    print(f"trained model: {model} (give this folder as --model)")
    return 0
