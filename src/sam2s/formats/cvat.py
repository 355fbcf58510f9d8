"""CVAT for video 1.1: one ``annotations.xml`` with the masks of a task.

CVAT has no tracks of masks: of one that it reads it keeps the first mask alone. So every mask is a
track of its own, that ends on the next frame, as CVAT's own files have it, and ``group_id`` is the
object. Outlines (``polygons``) are real tracks, one a part of an object, with every frame a key
frame. A mask is a list of run lengths within its box, row by row and beginning with background.
An object that is never in view is not in the file. Source: cvat/apps/dataset_manager/formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from sam2s.formats.polygons import polygons_of
from sam2s.formats.result import UNNAMED, ExportOptions, Result
from sam2s.masklets.masks import bounding_window, run_lengths

FILE = "annotations.xml"
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold."""
SEEN = {"occluded": 0, "keyframe": 1, "z_order": 0}
"""What is said of every shape."""


def write_cvat(result: Result, out: Path, options: ExportOptions) -> None:
    """Write ``out/annotations.xml``."""
    with open(out / FILE, "w", encoding="utf-8") as file:
        xml = _Xml(XMLGenerator(file, "utf-8", short_empty_elements=True))
        xml.document.startDocument()
        length = max((frame.index for frame in result.frames()), default=-1) + 1
        xml.begin("annotations")
        xml.text("version", "1.1")
        _write_task(xml, result, length)
        tracks = _polygon_tracks(result, length) if options.polygons else _masks(result, length)
        for number, (object_id, shapes) in enumerate(tracks):
            label = result.names.get(object_id, UNNAMED)
            xml.begin("track", id=number, label=label, source="auto", group_id=object_id)
            for kind, shape in shapes:
                xml.begin(kind, **shape)
                xml.end(kind)
            xml.end("track")
        xml.end("annotations")
        xml.document.endDocument()


class _Xml:
    """XML of plain values."""

    def __init__(self, document: XMLGenerator) -> None:
        self.document = document

    def begin(self, tag: str, **attributes: Any) -> None:
        texts = {key: NO_XML.sub("?", str(value)) for key, value in attributes.items()}
        self.document.startElement(tag, AttributesImpl(texts))

    def end(self, tag: str) -> None:
        self.document.endElement(tag)
        self.document.characters("\n")

    def text(self, tag: str, content: object) -> None:
        self.begin(tag)
        self.document.characters(NO_XML.sub("?", str(content)))
        self.end(tag)


def _write_task(xml: _Xml, result: Result, length: int) -> None:
    """What CVAT says of a task: its name, labels and size."""
    xml.begin("meta")
    xml.begin("task")
    about = {"name": result.video, "size": length, "mode": "interpolation", "overlap": 0}
    for tag, content in {**about, "start_frame": 0, "stop_frame": max(0, length - 1)}.items():
        xml.text(tag, content)
    xml.begin("labels")
    for name in sorted({result.names.get(i, UNNAMED) for i in result.ids}):
        xml.begin("label")
        xml.text("name", name)
        xml.text("attributes", "")
        xml.end("label")
    xml.end("labels")
    xml.begin("original_size")
    xml.text("width", result.size[1])
    xml.text("height", result.size[0])
    for tag in ("original_size", "task", "meta"):
        xml.end(tag)


Shape = tuple[str, Mapping[str, Any]]
"""A tag and its attributes."""


def _masks(result: Result, length: int) -> Iterator[tuple[int, list[Shape]]]:
    """(object id, its mask on a frame and the end of it on the next one)."""
    for frame in result.frames():
        for object_id, found in sorted(frame.masks.items()):
            mask = found.mask
            window = bounding_window(mask)
            if window is None:
                continue
            rows, columns = window
            box = {
                "rle": ", ".join(map(str, run_lengths(mask[window].T))),
                "left": columns.start,
                "top": rows.start,
                "width": columns.stop - columns.start,
                "height": rows.stop - rows.start,
            }
            shapes: list[Shape] = [("mask", {"frame": frame.index, "outside": 0, **SEEN, **box})]
            if frame.index + 1 < length:
                shapes.append(("mask", {"frame": frame.index + 1, "outside": 1, **SEEN, **box}))
            yield object_id, shapes


def _polygon_tracks(result: Result, length: int) -> Iterator[tuple[int, list[Shape]]]:
    """(object id, the shapes of its largest part), then those of its second one, and so on."""
    for object_id in result.ids:
        outlines = {
            frame.index: polygons_of(frame.masks[object_id].mask)
            for frame in result.frames()
            if object_id in frame.masks
        }
        for part in range(max(map(len, outlines.values()), default=0)):
            points = {
                index: ";".join(f"{x},{y}" for x, y in found[part].tolist())
                for index, found in outlines.items()
                if len(found) > part
            }
            yield object_id, list(_shapes(points, length))


def _shapes(points: Mapping[int, str], length: int) -> Iterator[Shape]:
    """A shape a frame, and one that says "outside" after each stretch."""
    for index, here in points.items():
        yield "polygon", {"frame": index, "outside": 0, **SEEN, "points": here}
        if index + 1 not in points and index + 1 < length:
            yield "polygon", {"frame": index + 1, "outside": 1, **SEEN, "points": here}
