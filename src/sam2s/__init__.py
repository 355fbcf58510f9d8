"""SAM2S: segment and track anything in surgical video (arXiv 2511.16618, independent
implementation, research use).

Everything a script needs is here, and imported when it is first used, so that ``import sam2s``
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sam2s.media.frames import open_frames
    from sam2s.tracking.tracker import Tracker
    from sam2s.types import Box, Frame, FrameResult, Mask, Points
    from sam2s.weights.load import load_model
    from sam2s.weights.save import save_model

    __version__: str

__all__ = [
    "Box",
    "Frame",
    "FrameResult",
    "Mask",
    "Points",
    "Tracker",
    "__version__",
    "load_model",
    "open_frames",
    "save_model",
]

_HOMES = {
    "Box": "sam2s.types",
    "Frame": "sam2s.types",
    "FrameResult": "sam2s.types",
    "Mask": "sam2s.types",
    "Points": "sam2s.types",
    "Tracker": "sam2s.tracking.tracker",
    "load_model": "sam2s.weights.load",
    "open_frames": "sam2s.media.frames",
    "save_model": "sam2s.weights.save",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("sam2s")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'sam2s' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
