"""``sam2s annotate``: the annotation page, served to this machine's browser."""

from __future__ import annotations

import os
from pathlib import Path

from sam2s.commands.options import Annotate
from sam2s.commands.terminal import say
from sam2s.errors import InputError
from sam2s.extras import require

PASSWORD = "SAM2S_PASSWORD"
"""Environment variable: a password on the command line could be read by every process."""


def run(options: Annotate) -> int:
    """Open the project, say the address, serve until Ctrl+C."""
    require("annotate", "annotate", "fastapi", "sqlalchemy", "uvicorn")
    from sam2s.annotate.model_room import ModelChoice
    from sam2s.annotate.project import Project
    from sam2s.annotate.server.http_server import Binding, serve
    from sam2s.annotate.workspace import Workspace

    binding = Binding(options.host, options.port, os.environ.get(PASSWORD))
    binding.check()
    project = Project(_folder(options), [Path(source) for source in options.sources])
    say(f"project: {project.folder}")
    for video in project.videos:
        if video.trouble is not None:
            say(f"note: {video.trouble}")
    memory = None if options.memory == "auto" else options.memory
    choice = ModelChoice(
        options.model, options.device, memory, options.image_size, options.precision
    )
    work = Workspace(project, choice)
    try:
        serve(work, binding, _announce, browser=not options.no_browser)
    finally:
        work.close()
    return 0


def _folder(options: Annotate) -> Path:
    """Where the project is: beside the first video by default."""
    if options.project is not None:
        return options.project.absolute()
    if not options.sources:
        raise InputError("annotate: name the videos to annotate, or --project DIR to go on with")
    first = Path(options.sources[0]).absolute()
    return first.with_name(f"{first.name}.sam2s")


def _announce(address: str) -> None:
    say(f"page: {address}")
    say("the address works once, in one browser; Ctrl+C ends the server, and everything is saved")
