"""Libraries that only some things need, and what is said where one is missing."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from sam2s.errors import InputError

Extra = Literal["annotate", "dicom", "lora", "nifti", "onnx", "ray", "synth", "train", "tsl"]
"""Of this package, as in ``pip install 'sam2s[nifti]'``."""


def missing_extra(what: str, library: str | None, extra: Extra, otherwise: str = "") -> InputError:
    """The error that ``what`` needs ``library``; ``otherwise``: what may be done instead."""
    instead = f", or {otherwise}" if otherwise else ""
    return InputError(
        f"{what} needs {library}; install it with: pip install 'sam2s[{extra}]'{instead}"
    )


def require(what: str, extra: Extra, *libraries: str, otherwise: str = "") -> None:
    """Raise `missing_extra`, before any work, for the first of ``libraries`` that is not there."""
    for library in libraries:
        if find_spec(library) is None:
            raise missing_extra(what, library, extra, otherwise)


def require_plots() -> None:
    """Raise InputError where a report could not draw."""
    require("a report with plots", "train", "matplotlib", otherwise="leave out --report")
