"""Masks from a DICOM segmentation, of this program or another."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.dicom import read_file
from sam2s.formats.dicom_seg import FILE, SEGMENTATION
from sam2s.formats.result import Key, ObjectMask, Result, collected, joined
from sam2s.formats.sidecar import FILE as SIDECAR
from sam2s.formats.sidecar import Sidecar, read_sidecar
from sam2s.media.pictures import MAX_PIXELS, check_pixels

TRACKING = re.compile(r"object (\d{1,9})")


def read_dicom_seg(folder: Path) -> Result:
    """A result from ``segmentation.dcm``, or from a file of another program.

    An object is a segment; its number is that of its tracking identifier (``object 7``), else the
    segment's. A frame is the source's frame that a mask refers to, by its number, or, where the
    sources are single pictures, by its place among them. Of fractional segments half and more
    counts. Raises InputError for other files.
    """
    path = folder / FILE if folder.is_dir() else folder
    one = read_file(path)
    try:
        return _result(one, path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # pydicom raises what its many parts make of damaged bytes
        raise InputError(f"{path}: cannot be read as a segmentation ({error!r})") from error


def _result(one: Any, path: Path) -> Result:
    if one.SOPClassUID != SEGMENTATION or one.SegmentationType not in ("BINARY", "FRACTIONAL"):
        raise InputError("is no DICOM segmentation of binary or fractional segments")
    size = int(one.Rows), int(one.Columns)
    check_pixels(*size, MAX_PIXELS, "the segmentation")
    keys: dict[int, Key] = {}
    names: dict[Key, str] = {}
    for segment in one.SegmentSequence:
        ours = TRACKING.fullmatch(str(segment.get("TrackingID", "")))
        key = int(ours[1]) if ours else int(segment.SegmentNumber)
        keys[int(segment.SegmentNumber)] = key
        names[key] = str(segment.SegmentLabel)
    found: dict[int, dict[Key, ObjectMask]] = defaultdict(dict)
    about = read_sidecar(path.parent) if (path.parent / SIDECAR).exists() else None
    frames = zip(one.PerFrameFunctionalGroupsSequence, _planes(one, size), strict=True)
    places = _places(one)
    for groups, mask in frames:
        segment = int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        joined(found[_index(groups, places, about)], keys[segment], mask)
    if about is None:
        everything = {index: found.get(index, {}) for index in range(max(found, default=0) + 1)}
        return collected(path.stem, size, everything, names)
    if size != (about.height, about.width):
        raise InputError(f"is of another size than {SIDECAR} beside it says")
    return about.result({index: found.get(index, {}) for index in about.frames})


def _planes(one: Any, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """(H, W) bool of every stored frame."""
    if one.SegmentationType == "BINARY" and not one.file_meta.TransferSyntaxUID.is_compressed:
        area = size[0] * size[1]
        bits = np.frombuffer(one.PixelData, np.uint8)
        for number in range(int(one.NumberOfFrames)):
            start, stop = number * area, (number + 1) * area
            window = np.unpackbits(bits[start // 8 : -(-stop // 8)], bitorder="little")
            yield window[start % 8 :][:area].reshape(size).astype(bool)
        return
    from pydicom.pixels import iter_pixels

    half = int(one.get("MaximumFractionalValue", 1)) / 2
    for plane in iter_pixels(one):
        yield np.asarray(plane) >= half


def _places(one: Any) -> Mapping[str, int]:
    """{instance: its place} of the single pictures that are segmented."""
    return {
        str(instance.ReferencedSOPInstanceUID): place
        for series in one.get("ReferencedSeriesSequence", ())
        for place, instance in enumerate(series.ReferencedInstanceSequence)
    }


def _index(groups: Any, places: Mapping[str, int], about: Sidecar | None) -> int:
    """Which frame of the video a stored frame is of."""
    source = groups.DerivationImageSequence[0].SourceImageSequence[0]
    number = source.get("ReferencedFrameNumber")
    if number is None:
        return places[str(source.ReferencedSOPInstanceUID)]
    return int(number) - 1 if about is None else about.frames[int(number) - 1]
