"""Libraries that only some formats need, and how they are installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from sam2s.errors import InputError

Extra = Literal["nifti", "dicom"]
"""Of this package, as in ``pip install 'sam2s[nifti]'``."""
LIBRARIES: dict[Extra, str] = {"nifti": "nibabel", "dicom": "pydicom"}


def require(extra: Extra, what: str) -> None:
    """Raise InputError, before any work, where the extra is not installed. ``what`` needs it."""
    library = LIBRARIES[extra]
    if find_spec(library) is None:
        raise InputError(f"{what} needs {library}; install it with: pip install 'sam2s[{extra}]'")
