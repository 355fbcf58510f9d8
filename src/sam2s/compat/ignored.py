"""Arguments of Meta's that have no effect here: most need none, others would be missed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from sam2s.errors import Doubt

HARMLESS = frozenset(
    {
        "apply_postprocessing",
        "async_loading_frames",
        "compile_image_encoder",
        "config_file",
        "mode",
        "offload_state_to_cpu",
        "offload_video_to_cpu",
        "vos_optimized",
    }
)
"""They say how Meta's code loads or computes, not what comes out (beyond the last bits)."""


def doubt_options(what: str, options: Mapping[str, Any]) -> None:
    """A ``Doubt`` that names those of ``options`` which have no effect and are not known to need
    none; an empty one is not missed."""
    missed = sorted(name for name, value in options.items() if name not in HARMLESS and value)
    if missed:
        warnings.warn(
            f"{what}: {', '.join(missed)} has no effect here (what differs: docs/from_sam2.md)",
            Doubt,
            stacklevel=3,
        )
