"""DICOM segmentation: ``segmentation.dcm``, a segment an object, and the secondary capture that it
is about.

That is ``pictures.dcm`` where the video's pictures are given, else ``objects.dcm``, white where any
object is: a segmentation has to be about some image. A frame of a segment is stored where it shows
something. The object's number is in the segment's tracking identifier. Source: DICOM PS3.3, A.51
and C.8.20. highdicom reads these files; it does not write them, since it refuses several frames
without a frame of reference, and pictures of an endoscope have none.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.dicom import (
    MAKER,
    Study,
    colour_capture,
    new_capture,
    new_file,
    rle_frames,
    save,
    set_size,
)
from sam2s.formats.result import UNNAMED, ExportOptions, Result
from sam2s.formats.sidecar import write_sidecar
from sam2s.formats.source_pictures import pictures_of
from sam2s.masklets.vocabulary import is_known, kind_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FILE = "segmentation.dcm"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
EXPLICIT = "1.2.840.10008.1.2.1"
MOST_BITS = 8 * (2**32 - 2)
"""Of pixels in one DICOM file."""
OBJECT, INSTRUMENT, TISSUE = (
    ("260787004", "Physical object"),
    ("57134006", "Instrument, device"),
    ("85756007", "Body tissue structure"),
)
"""SNOMED CT codes of what is segmented; what exactly stands in the label."""
Stored = tuple[int, int]
"""A stored frame: its segment, and the place of the source's frame, both counted from 1."""


def write_dicom_seg(result: Result, out: Path, options: ExportOptions) -> None:
    """Write ``out/segmentation.dcm``, what it is about, and ``out/objects.json``. Raises InputError
    for more than one DICOM file holds, and pictures that are not those of the result."""
    study, number = Study.of(options), {i: n for n, i in enumerate(result.ids, start=1)}
    if not number:
        raise InputError("dicom-seg: the result holds no object, and a segmentation needs one")
    stored = [
        (number[object_id], place)
        for place, frame in enumerate(result.frames(), start=1)
        for object_id, found in sorted(frame.masks.items())
        if found.mask.any()
    ]
    if len(stored) * result.size[0] * result.size[1] > MOST_BITS:
        raise InputError(
            f"dicom-seg: {len(stored)} masks are more than a DICOM file holds; export a shorter"
            " stretch (sam2s track --frames)"
        )
    about = _about(result, study, options)
    save(about, out / ("objects.dcm" if options.pictures is None else "pictures.dcm"))
    one = new_file(study, SEGMENTATION, EXPLICIT, (2, "segmentation"))
    set_size(one, result.size, max(1, len(stored)), 1)
    _describe(one, result, number)
    _refer(one, about)
    groups = [_groups(at, about) for at in stored or [(1, 1)]]  # at least one, which is empty
    one.PerFrameFunctionalGroupsSequence = groups
    one.add_new("PixelData", "OB", _pixels(result))
    save(one, out / FILE)
    write_sidecar(result, out, dict.fromkeys(result.ids, FILE))


def _about(result: Result, study: Study, options: ExportOptions) -> Dataset:
    """The image that is segmented."""
    if options.pictures is not None:
        images = pictures_of(options.pictures, result)
        return colour_capture(study, images, result.size, result.fps)
    nothing = np.zeros(result.size, bool)
    unions = (
        np.any([nothing, *(found.mask for found in frame.masks.values())], axis=0)
        for frame in result.frames()
    )
    pixels = rle_frames(union.astype(np.uint8) * 255 for union in unions)
    return new_capture(study, result.size, pixels, result.fps, "objects")


def _pixels(result: Result) -> bytes:
    """The masks that show something, a bit a pixel and without a gap between frames; of none, an
    empty one."""
    masks = (
        found.mask.ravel()
        for frame in result.frames()
        for _, found in sorted(frame.masks.items())
        if found.mask.any()
    )
    coded = bytearray()
    while group := list(islice(masks, 8)):  # whose bits are whole bytes
        coded += np.packbits(np.concatenate(group), bitorder="little").tobytes()
    coded = coded or bytearray(-(-result.size[0] * result.size[1] // 8))
    return bytes(coded + b"\0" * (len(coded) % 2))


def _describe(one: Dataset, result: Result, number: dict[int, int]) -> None:
    """The modules of a segmentation, and its segments."""
    one.Modality = "SEG"
    one.ImageType = ["DERIVED", "PRIMARY"]
    one.ContentLabel, one.ContentDescription, one.ContentCreatorName = "SEGMENTATION", "", ""
    one.LossyImageCompression, one.SegmentationType = "00", "BINARY"
    one.SegmentSequence = [_segment(result, object_id, n) for object_id, n in number.items()]


def _segment(result: Result, object_id: int, number: int) -> Dataset:
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    name = result.names.get(object_id, UNNAMED)
    kind = {"instrument": INSTRUMENT, "tissue": TISSUE}.get(
        kind_of(name) if is_known(name) else "", OBJECT
    )
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel = number, name[:64]
    segment.SegmentAlgorithmType, segment.SegmentAlgorithmName = "SEMIAUTOMATIC", MAKER
    category = TISSUE if kind == TISSUE else OBJECT
    segment.SegmentedPropertyCategoryCodeSequence = [_code("SCT", *category)]
    segment.SegmentedPropertyTypeCodeSequence = [_code("SCT", *kind)]
    segment.TrackingID, segment.TrackingUID = f"object {object_id}", generate_uid(prefix=None)
    return segment


def _code(scheme: str, value: str, meaning: str) -> Dataset:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _refer(one: Dataset, about: Dataset) -> None:
    """Say what image this is about, and by what frames are told apart: segment, then place."""
    from pydicom.dataset import Dataset
    from pydicom.tag import Tag
    from pydicom.uid import generate_uid

    series, instance = Dataset(), Dataset()
    instance.ReferencedSOPClassUID = about.SOPClassUID
    instance.ReferencedSOPInstanceUID = about.SOPInstanceUID
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = (
        about.SeriesInstanceUID,
        [instance],
    )
    one.ReferencedSeriesSequence = [series]
    organisation = Dataset()
    organisation.DimensionOrganizationUID = generate_uid(prefix=None)
    one.DimensionOrganizationSequence = [organisation]
    one.DimensionIndexSequence = [
        _dimension(organisation.DimensionOrganizationUID, Tag(pointer), Tag(group))
        for pointer, group in (
            ("ReferencedSegmentNumber", "SegmentIdentificationSequence"),
            ("TemporalPositionIndex", "FrameContentSequence"),
        )
    ]
    one.SharedFunctionalGroupsSequence = [Dataset()]


def _dimension(organisation: str, pointer: Any, group: Any) -> Dataset:
    from pydicom.dataset import Dataset

    index = Dataset()
    index.DimensionOrganizationUID = organisation
    index.DimensionIndexPointer, index.FunctionalGroupPointer = pointer, group
    return index


def _groups(at: Stored, about: Dataset) -> Dataset:
    """What is said of a stored frame: which segment it shows, and which frame of the image."""
    from pydicom.dataset import Dataset

    segment, place = at
    groups, content, source, derived, which = (Dataset() for _ in range(5))
    content.DimensionIndexValues, content.TemporalPositionIndex = [segment, place], place
    source.ReferencedSOPClassUID = about.SOPClassUID
    source.ReferencedSOPInstanceUID = about.SOPInstanceUID
    source.ReferencedFrameNumber = place
    source.PurposeOfReferenceCodeSequence = [
        _code("DCM", "121322", "Source image for image processing operation")
    ]
    derived.SourceImageSequence = [source]
    derived.DerivationCodeSequence = [_code("DCM", "113076", "Segmentation")]
    which.ReferencedSegmentNumber = segment
    groups.FrameContentSequence = [content]
    groups.DerivationImageSequence = [derived]
    groups.SegmentIdentificationSequence = [which]
    return groups
