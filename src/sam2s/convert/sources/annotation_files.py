"""Annotation files of public sources, by type: COCO and LabelMe. What they hold may be anything, so
nothing of them is used before it was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from sam2s.errors import InputError
from sam2s.masklets.catalogue import Line
from sam2s.typed_json import Bounds, read_json, shown

COCO = "COCO 'images', 'annotations' and 'categories'"
LABELME = "a LabelMe file with a list of 'shapes'"
Id = int | str
Side = Annotated[int, Bounds(1, 65_535)]
Coordinate = Annotated[float, Bounds(-1e5, 1e5)]
"""In pixels; a polygon may leave its picture, but not so far that drawing it takes for ever."""


@dataclass(frozen=True, slots=True)
class CocoImage:
    """One picture: ``file_name`` may have folders in front; sizes in pixels."""

    id: Id
    file_name: str
    height: Side
    width: Side

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class CocoInstance:
    """One object of a picture; its ``segmentation`` is checked when it is decoded."""

    image_id: Id
    category_id: Id
    segmentation: Any = None


@dataclass(frozen=True, slots=True)
class CocoCategory:
    """One class."""

    id: Id
    name: Line


@dataclass(frozen=True, slots=True)
class CocoFile:
    """A COCO file of instances."""

    images: tuple[CocoImage, ...]
    annotations: tuple[CocoInstance, ...]
    categories: tuple[CocoCategory, ...]


@dataclass(frozen=True, slots=True)
class LabelMeShape:
    """One outline: ``points`` as (x, y) in pixels; ``group_id``: shapes of one thing share it."""

    label: Line = ""
    points: tuple[tuple[Coordinate, Coordinate], ...] = ()
    group_id: Id | None = None
    shape_type: Line | None = None


@dataclass(frozen=True, slots=True)
class LabelMeFile:
    """The outlines of one picture."""

    shapes: tuple[LabelMeShape, ...]


def read_coco(path: Path) -> tuple[CocoFile, Mapping[Id, str]]:
    """The file, and {category: its name}. Raises InputError when it is not such a file, or an
    instance is of a category that it does not list."""
    content = read_json(path, CocoFile, form=COCO)
    names = {category.id: category.name.strip() for category in content.categories}
    for place, instance in enumerate(content.annotations):
        if instance.category_id not in names:
            raise InputError(
                f"{path}: expected {COCO} (annotations[{place}].category_id is"
                f" {shown(instance.category_id)}, which categories do not list)"
            )
    return content, names


def read_labelme(path: Path) -> LabelMeFile:
    """The file. Raises InputError when it is not such a file."""
    return read_json(path, LabelMeFile, form=LABELME)
