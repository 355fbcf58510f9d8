"""``sam2s train``: carry out a recipe."""

from __future__ import annotations

from sam2s.commands.terminal import say
from sam2s.commands.train_options import Train
from sam2s.extras import missing_extra
from sam2s.files import check_folder


def run(options: Train) -> int:
    """Train, and say where the model is."""
    try:
        from sam2s.recipes.train_recipe import TrainingRequest, train_recipe
    except ModuleNotFoundError as error:
        raise missing_extra("training", error.name, "train") from error
    check_folder(options.scenes)
    request = TrainingRequest(
        options.recipe,
        options.out,
        data=options.data,
        model=options.model,
        settings=options.set,
        scenes=options.scenes,
        device=options.device,
        resume=options.resume,
        dry_run=options.dry_run,
    )
    model = train_recipe(request)
    say(
        "dry run: nothing was trained"
        if options.dry_run
        else f"trained model: {model} (give this folder as --model)"
    )
    return 0
