"""Label Studio: ``tasks.json``, a task a frame whose masks are a prediction for a person to accept,
and ``labels.xml``, the labelling set-up that goes with it.

A region is called ``object-<id>``, so that an object is known again on other frames.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from sam2s.errors import InputError
from sam2s.formats.brush import decode_brush, encode_brush
from sam2s.formats.result import (
    MAX_BYTES,
    UNNAMED,
    ExportOptions,
    Key,
    ObjectMask,
    Result,
    ResultFrame,
    collected,
    frame_number,
    joined,
    write_list,
)
from sam2s.media.pictures import MAX_PIXELS, check_pixels
from sam2s.typed_json import read_json

FILE = "tasks.json"
LABELS = "labels.xml"
BRUSH, IMAGE = "mask", "image"
"""Names of the tags of the labelling set-up."""


def write_label_studio(result: Result, out: Path, options: ExportOptions) -> None:
    """Write ``out/tasks.json`` and ``out/labels.xml``."""
    names = sorted({result.names.get(i, UNNAMED) for i in result.ids})
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in names)
    (out / LABELS).write_text(
        f'<View>\n  <Image name="{IMAGE}" value="$image"/>\n'
        f'  <BrushLabels name="{BRUSH}" toName="{IMAGE}">\n{labels}  </BrushLabels>\n</View>\n',
        encoding="utf-8",
    )
    with open(out / FILE, "w", encoding="utf-8") as file:
        write_list(file, (_task(result, frame, options) for frame in result.frames()))


def _task(result: Result, frame: ResultFrame, options: ExportOptions) -> dict[str, Any]:
    regions = list(_regions(result, frame))
    return {
        "data": {
            "image": options.picture_of(frame.index),
            "video": result.video,
            "frame": frame.index,
            "height": result.size[0],
            "width": result.size[1],
        },
        "predictions": [{"model_version": "sam2s", "result": regions}],
    }


def _regions(result: Result, frame: ResultFrame) -> Iterator[dict[str, Any]]:
    for object_id, found in sorted(frame.masks.items()):
        mask = found.mask
        if not mask.any():
            continue
        label = result.names.get(object_id, UNNAMED)
        yield {
            "id": f"object-{object_id}",
            "type": "brushlabels",
            "from_name": BRUSH,
            "to_name": IMAGE,
            "image_rotation": 0,
            "original_width": result.size[1],
            "original_height": result.size[0],
            "value": {"format": "rle", "rle": encode_brush(mask), "brushlabels": [label]},
            **({} if found.score is None else {"score": found.score}),
        }


@dataclass(frozen=True, slots=True)
class BrushValue:
    """What a brush painted. ``rle``: bytes of `brush`."""

    rle: Any = None
    labels: tuple[str, ...] = field(default=(), metadata={"key": "brushlabels"})


@dataclass(frozen=True, slots=True)
class BrushRegion:
    """One region; those that are no brush have no ``rle``."""

    value: BrushValue
    id: str = ""
    original_width: int = 0
    original_height: int = 0
    score: float | None = None


@dataclass(frozen=True, slots=True)
class RegionList:
    """What a person (an annotation) or a model (a prediction) found."""

    result: tuple[BrushRegion, ...] = ()


@dataclass(frozen=True, slots=True)
class LabellingTask:
    """One picture. An annotation counts more than a prediction."""

    data: Mapping[str, Any]
    annotations: tuple[RegionList, ...] = ()
    predictions: tuple[RegionList, ...] = ()

    @property
    def regions(self) -> tuple[BrushRegion, ...]:
        """Of the first annotation, else of the first prediction."""
        lists = self.annotations or self.predictions
        return lists[0].result if lists else ()


def read_label_studio(folder: Path) -> Result:
    """A result from the tasks of one video: those that were written here, or what Label Studio
    exports as JSON.

    An object is a region's ``object-<id>``, else all brushes of a label. Raises InputError for
    other files and pictures of different size.
    """
    path = folder / FILE if folder.is_dir() else folder
    tasks = read_json(path, tuple[LabellingTask, ...], max_bytes=MAX_BYTES)
    found: dict[int, dict[Key, ObjectMask]] = {}
    labels: dict[Key, str] = {}
    sizes: set[tuple[int, int]] = set()
    for place, task in enumerate(tasks):
        masks: dict[Key, ObjectMask] = {}
        sizes |= _stated_size(task)
        for region in task.regions:
            if region.value.rle is None:
                continue
            size = region.original_height, region.original_width
            check_pixels(*size, MAX_PIXELS, f"{path}: a region")
            sizes.add(size)
            label = region.value.labels[0] if region.value.labels else UNNAMED
            ours = re.fullmatch(r"object-(\d{1,9})", region.id)
            key: Key = int(ours[1]) if ours else label
            labels[key] = label
            joined(masks, key, decode_brush(region.value.rle, size))
        if len(sizes) > 1:
            raise InputError(f"{path}: task {place + 1} has a picture of another size than others")
        number = task.data.get("frame")
        if not isinstance(number, int):
            number = frame_number(str(task.data.get("image", "")))
        found[place if number is None else number] = masks
    if not sizes:
        raise InputError(f"{path}: holds no brush, so the size of its pictures is not known")
    video = str(tasks[0].data.get("video", "video"))
    return collected(video, sizes.pop(), found, labels)


def _stated_size(task: LabellingTask) -> set[tuple[int, int]]:
    size = task.data.get("height"), task.data.get("width")
    return {size} if all(isinstance(side, int) for side in size) else set()  # type: ignore[arg-type]
