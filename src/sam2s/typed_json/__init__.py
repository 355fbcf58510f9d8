"""JSON from outside, read into typed values: the one way in for every such file.

Configurations of weights, catalogues, provenance, annotations of public sources, journals and
checkpoints all come from disks that others write to. `read_json` gives a value of the annotation
it was asked for (frozen dataclasses, tuples, mappings, literals, numbers with bounds, text), or
raises one line with the file and the path of the field, such as ``masklets.json: videos.v.fps must
be a number above 0, got -1``. Nothing is converted on the way, but for whole numbers where any
number will do.

Beyond types: a file may not be larger than ``max_bytes`` or nested without end; NaN, infinity and
numbers too large for a double, a key that appears twice in one object, and text that is not Unicode
(lone surrogates) are refused, since other programs read each of them differently.

Not pydantic: it keeps the last of two equal keys without a word, reads ``1e999`` as infinity and
the key `` 1_0`` as 10, and wants its settings inside every dataclass of the model; what had to
stand round it was as long as this file.
"""

from __future__ import annotations

from sam2s.typed_json.build import Unknown, build, check_fields
from sam2s.typed_json.constraints import (
    AnyText,
    Bounds,
    FolderName,
    Ids,
    OneLine,
    Upgrade,
    is_folder_name,
    is_one_line,
    shown,
)
from sam2s.typed_json.read import MAX_BYTES, parse_json, read_json, reason

__all__ = [
    "MAX_BYTES",
    "AnyText",
    "Bounds",
    "FolderName",
    "Ids",
    "OneLine",
    "Unknown",
    "Upgrade",
    "build",
    "check_fields",
    "is_folder_name",
    "is_one_line",
    "parse_json",
    "read_json",
    "reason",
    "shown",
]
