"""The command line: parse, hand over, and turn errors into one line and an exit code.

Only standard modules and the option types are imported here; each command's work is imported when
it is asked for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, get_args

from sam2s.commands.terminal import doubts_said, say
from sam2s.errors import Sam2sError
from sam2s.interruption import Stopped, lasting_output, stoppable

DEBUG_SWITCH = "SAM2S_DEBUG"
"""Environment variable: when set, errors come with their traceback."""
INTERRUPTED = 130
"""Exit code after Ctrl+C, as shells have it."""
UNREAD = 1
"""Exit code where all was done and what was printed could not be shown to its end."""

DESCRIPTION = """Segment and track anything in surgical video: prompt once, track throughout.

An independent implementation of SAM2S (arXiv 2511.16618), for research use only."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code (0 done, 1 done but not shown, 2 unusable input,
    3 damaged source, 130 Ctrl+C, 143 SIGTERM, 129 SIGHUP)."""
    argv = sys.argv[1:] if argv is None else list(argv)
    # Torch's threads wait for one another by spinning, which beside any other busy process costs a
    # track nine tenths of its speed. They read this when torch is imported, so it is set before; a
    # user's own choice stands.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if argv == ["--version"]:
        from sam2s import __version__

        print(f"sam2s {__version__}")
        return 0
    with lasting_output() as output:
        code = _run(argv)
    if output.refused is None:
        return code
    why = output.refused.strerror or output.refused
    say(f"sam2s: the output could not be shown to its end ({why})", error=True)
    return code or UNREAD


def _run(argv: Sequence[str]) -> int:
    try:
        options = _parse(argv)
        with stoppable(), doubts_said():
            return _handler(options)(options)
    except Sam2sError as error:
        if os.environ.get(DEBUG_SWITCH):
            raise
        say(f"sam2s: {' '.join(str(error).split())}", error=True)
        return error.exit_code
    except Stopped as stopped:
        say(f"sam2s: interrupted ({stopped})", error=True)
        return stopped.exit_code
    except KeyboardInterrupt:
        say("sam2s: interrupted", error=True)
        return INTERRUPTED
    except BrokenPipeError:  # a pipe of our own, whose reader left
        return UNREAD


def _parse(argv: Sequence[str]) -> Any:
    import tyro
    from tyro.conf import FlagCreatePairsOff, subcommand

    from sam2s.commands import options

    named = [
        Annotated[kind, subcommand(kind.__name__.lower())] for kind in get_args(options.Command)
    ]
    union = named[0]
    for kind in named[1:]:
        union = union | kind  # type: ignore[assignment]
    config = (FlagCreatePairsOff,)
    return tyro.cli(union, prog="sam2s", description=DESCRIPTION, args=argv, config=config)  # type: ignore[call-overload]


def _handler(options: Any) -> Callable[[Any], int]:
    """``run`` of the module in ``sam2s.commands`` that is named like the command."""
    return import_module(f"sam2s.commands.{type(options).__name__.lower()}").run


if __name__ == "__main__":
    sys.exit(main())
