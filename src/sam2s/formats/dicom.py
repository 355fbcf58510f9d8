"""DICOM secondary captures: what a file says of itself, and multi-frame pictures.

A file made here names no patient, no physician and no date of a study: whoever files it adds them.
Needs pydicom.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sam2s.errors import InputError
from sam2s.formats.mask_video import DEFAULT_FPS, planes_of
from sam2s.formats.result import ExportOptions, Key, ObjectMask, Result
from sam2s.formats.sidecar import FILE, read_sidecar, write_sidecar

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAKER = "SAM2S"
NO_DATE = datetime(1900, 1, 1)
"""Stands where a date is required and none may be told."""
GREY, COLOUR = "1.2.840.10008.5.1.4.1.1.7.2", "1.2.840.10008.5.1.4.1.1.7.4"
"""Multi-frame grayscale byte and true colour secondary capture image storage."""
RLE_LOSSLESS, JPEG_BASELINE = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"


def _new_uid() -> str:
    from pydicom.uid import generate_uid

    return generate_uid(prefix=None)


@dataclass(frozen=True, slots=True)
class Study:
    """What the files of one export share. ``made``: when."""

    made: datetime
    uid: str = field(default_factory=_new_uid)

    @staticmethod
    def of(options: ExportOptions) -> Study:
        """Of now, or of no time where nothing may be told."""
        return Study(NO_DATE if options.anonymise else datetime.now())


def new_file(study: Study, sop_class: str, syntax: str, series: tuple[int, str]) -> Dataset:
    """A file without pixels. ``series``: its number and what it is."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = UID(_new_uid())
    one.file_meta.TransferSyntaxUID = UID(syntax)
    one.SpecificCharacterSet = "ISO_IR 192"
    for unknown in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
        *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
        *("PatientOrientation", "Laterality"),
    ):
        setattr(one, unknown, "")
    one.StudyInstanceUID, one.SeriesInstanceUID = study.uid, _new_uid()
    one.SeriesNumber, one.SeriesDescription = series
    one.InstanceNumber = 1
    one.Manufacturer = one.ManufacturerModelName = MAKER
    one.DeviceSerialNumber, one.SoftwareVersions = "0", MAKER
    one.ContentDate, one.ContentTime = f"{study.made:%Y%m%d}", f"{study.made:%H%M%S}"
    return one


def set_size(one: Dataset, size: tuple[int, int], frames: int, bits: int) -> None:
    """Grey pixels of 1 or 8 bits."""
    one.Rows, one.Columns = size
    one.NumberOfFrames, one.SamplesPerPixel = frames, 1
    one.PhotometricInterpretation = "MONOCHROME2"
    one.BitsAllocated = one.BitsStored = bits
    one.HighBit, one.PixelRepresentation = bits - 1, 0


def new_capture(
    study: Study, size: tuple[int, int], pixels: list[bytes], fps: float | None, about: str
) -> Dataset:
    """A grey multi-frame secondary capture of frames that are coded as RLE."""
    from pydicom.encaps import encapsulate

    one = new_file(study, GREY, RLE_LOSSLESS, (1, about))
    set_size(one, size, len(pixels), 8)
    one.Modality, one.ConversionType = "OT", "WSD"
    one.ImageType = ["DERIVED", "SECONDARY"]
    one.BurnedInAnnotation, one.PresentationLUTShape = "NO", "IDENTITY"
    one.RescaleIntercept, one.RescaleSlope, one.RescaleType = 0, 1, "US"
    if len(pixels) > 1:
        one.FrameTime = f"{1000 / (fps or DEFAULT_FPS):.6g}"
        one.FrameIncrementPointer = 0x00181063  # the frame time
    one.LossyImageCompression = "00"
    one.PixelData = encapsulate(pixels)
    return one


def rle_frames(planes: Iterable[np.ndarray]) -> list[bytes]:
    """(H, W) uint8 each as DICOM's RLE, which is lossless."""
    from pydicom.pixels.encoders import RLELosslessEncoder

    return [
        RLELosslessEncoder.encode(
            plane,
            rows=plane.shape[0],
            columns=plane.shape[1],
            samples_per_pixel=1,
            number_of_frames=1,
            bits_allocated=8,
            bits_stored=8,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
        )
        for plane in planes
    ]


def colour_capture(
    study: Study, images: Iterable[np.ndarray], size: tuple[int, int], fps: float | None
) -> Dataset:
    """A true colour secondary capture of pictures (H, W, 3) uint8 RGB, as JPEGs of quality 95."""
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    coded = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=95, subsampling="4:2:2")
        coded.append(file.getvalue())
    one = new_capture(study, size, coded, fps, "pictures")
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = UID(COLOUR)
    one.file_meta.TransferSyntaxUID = UID(JPEG_BASELINE)
    one.SamplesPerPixel, one.PhotometricInterpretation = 3, "YBR_FULL_422"
    one.PlanarConfiguration = 0
    one.BurnedInAnnotation = "YES"  # nobody has looked: a name may stand in the pictures
    for grey in ("PresentationLUTShape", "RescaleIntercept", "RescaleSlope", "RescaleType"):
        delattr(one, grey)
    one.LossyImageCompression, one.LossyImageCompressionMethod = "01", "ISO_10918_1"
    raw = 3 * size[0] * size[1] * len(coded)
    one.LossyImageCompressionRatio = f"{raw / sum(map(len, coded)):.3g}"
    one.PixelData = encapsulate(coded)
    return one


def save(one: Dataset, path: Path) -> None:
    """Write a file that is whole and of the standard's form."""
    one.save_as(path, enforce_file_format=True)


def write_dicom_sc(result: Result, out: Path, options: ExportOptions) -> None:
    """``out/<object id>.dcm``, white where the object is, and ``out/objects.json``."""
    study = Study.of(options)
    files = {object_id: f"{object_id:03d}.dcm" for object_id in result.ids}
    for object_id, name in files.items():
        about = f"object {object_id} {result.names.get(object_id, '')}".strip()[:64]
        pixels = rle_frames(planes_of(result, object_id))
        save(new_capture(study, result.size, pixels, result.fps, about), out / name)
    write_sidecar(result, out, files)


def read_dicom_sc(folder: Path) -> Result:
    """A result from ``objects.json`` and the files that it names. Raises InputError where they do
    not fit."""
    about = read_sidecar(folder)
    found: dict[int, dict[Key, ObjectMask]] = {index: {} for index in about.frames}
    for object_id, name in about.files.items():
        path = folder / Path(name).name
        planes = list(_planes(path))
        if [mask.rle["size"] for mask in planes] != [[about.height, about.width]] * len(
            about.frames
        ):
            raise InputError(f"{path}: its frames are not those that {FILE} lists")
        for index, mask in zip(about.frames, planes, strict=True):
            found[index][object_id] = mask
    return about.result(found)


def _planes(path: Path) -> Iterator[ObjectMask]:
    from pydicom.pixels import iter_pixels

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what pydicom finds odd: the masks are compared
            for plane in iter_pixels(path):
                yield ObjectMask.of(np.asarray(plane) > 127)
    except Exception as error:  # pydicom raises what its many parts make of damaged bytes
        raise InputError(f"{path}: cannot be read as DICOM ({error!r})") from error


def read_file(path: Path) -> Any:
    """A DICOM file. Raises InputError for others."""
    from pydicom import dcmread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(path)
    except Exception as error:
        raise InputError(f"{path}: cannot be read as DICOM ({error!r})") from error
