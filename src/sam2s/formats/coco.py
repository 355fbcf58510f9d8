"""COCO: one ``annotations.json``, an image a frame, an annotation an object on it.

``video_id`` and ``track_id`` tell frames and objects together, as video extensions of COCO do.
Absent objects have no annotation. Segmentations are RLE (text or run lengths, column-major) or
polygons.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.formats.polygons import polygons_of
from sam2s.formats.result import UNNAMED, ExportOptions, Result
from sam2s.masklets.masks import bounding_window, encode_rle, run_lengths

FILE = "annotations.json"


def write_coco(result: Result, out: Path, options: ExportOptions) -> None:
    """Write ``out/annotations.json``."""
    names = sorted({*(result.names.get(i, UNNAMED) for i in result.ids)})
    category = {name: number for number, name in enumerate(names, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    height, width = result.size
    for number, frame in enumerate(result.frames(), start=1):
        image = {"id": number, "file_name": options.picture_of(frame.index), "video_id": 1}
        images.append(
            {**image, "frame_id": frame.index, "width": width, "height": height, "time": frame.time}
        )
        for object_id, found in frame.masks.items():
            mask = found.mask
            window = bounding_window(mask)
            if window is None:
                continue
            rows, columns = window
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "video_id": 1,
                    "track_id": object_id,
                    "category_id": category[result.names.get(object_id, UNNAMED)],
                    "segmentation": _segmentation(mask, options),
                    "area": int(mask.sum()),
                    "bbox": [
                        columns.start,
                        rows.start,
                        columns.stop - columns.start,
                        rows.stop - rows.start,
                    ],
                    "iscrowd": 0,
                    # Not null: datumaro refuses the file then.
                    **({} if found.score is None else {"score": found.score}),
                }
            )
    content = {
        "info": {"description": "made by sam2s"},
        "videos": [{"id": 1, "name": result.video, "fps": result.fps}],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in category.items()],
        "tracks": [{"id": i, "name": result.names.get(i)} for i in result.ids],
    }
    (out / FILE).write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


def _segmentation(mask: np.ndarray, options: ExportOptions) -> Any:
    if options.polygons:
        return [outline.ravel().tolist() for outline in polygons_of(mask)]
    if options.compressed:
        return encode_rle(mask)
    return {"size": list(mask.shape), "counts": run_lengths(mask)}
