"""Every format by name: how it is written, how it is read back, and what it cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sam2s.errors import InputError
from sam2s.extras import Extra, require
from sam2s.formats.coco import write_coco
from sam2s.formats.coco_reader import read_coco
from sam2s.formats.cvat import write_cvat
from sam2s.formats.cvat_reader import read_cvat
from sam2s.formats.datumaro import read_datumaro, write_datumaro
from sam2s.formats.dicom import read_dicom_sc, write_dicom_sc
from sam2s.formats.dicom_seg import write_dicom_seg
from sam2s.formats.dicom_seg_reader import read_dicom_seg
from sam2s.formats.fitting import renumbered, without_overlap
from sam2s.formats.label_studio import read_label_studio, write_label_studio
from sam2s.formats.labelme import read_labelme, write_labelme
from sam2s.formats.mask_video import read_mask_videos, write_mask_videos
from sam2s.formats.mots import read_mots_png, read_mots_txt, write_mots_png, write_mots_txt
from sam2s.formats.nifti import LARGEST_ID, read_nifti, write_nifti
from sam2s.formats.palettes import (
    read_palettes,
    read_youtube_vos,
    write_davis,
    write_youtube_vos,
)
from sam2s.formats.result import Contents, ExportOptions, Result
from sam2s.formats.sa_v import read_sa_v, write_sa_v
from sam2s.formats.tables import write_csv, write_yolo

Write = Callable[[Result, Path, ExportOptions], None]
Read = Callable[[Path], Result]


LIBRARIES: Mapping[Extra, str] = {"nifti": "nibabel", "dicom": "pydicom"}
"""What reads and writes the formats of an extra."""


@dataclass(frozen=True, slots=True)
class Format:
    """``keeps``: in words, what is in the files. ``read`` None: masks cannot be had back.
    ``overlap``: whether two objects may share a pixel. ``first_id``, ``largest_id``: numbers that
    objects can have, None without limit. ``outlines``: whether masks are outlines, which have no
    holes: never, by the option ``polygons``, or always. ``run_lengths``: it knows run lengths as
    text and as lists. ``extra``: what has to be installed for it. ``pictures``: it can hold those
    of the source."""

    write: Write
    keeps: str
    read: Read | None = None
    overlap: bool = True
    largest_id: int | None = None
    first_id: int = 0
    outlines: Literal["never", "option", "always"] = "never"
    run_lengths: bool = False
    extra: Extra | None = None
    pictures: bool = False

    def check(self, name: str, options: ExportOptions) -> None:
        """Raise InputError for options that the format does not have, and where what it needs is
        not installed."""
        if self.extra is not None:
            require(name, self.extra, LIBRARIES[self.extra])
        for flag, given, known in (
            ("--polygons", options.polygons, self.outlines != "never"),
            ("--pictures", options.pictures is not None, self.pictures),
            ("--uncompressed", not options.compressed, self.run_lengths),
        ):
            if given and not known:
                raise InputError(f"{name}: {flag} is not for this format; leave it out")

    def draws(self, options: ExportOptions) -> bool:
        """Whether masks become outlines."""
        return self.outlines == "always" or (self.outlines == "option" and options.polygons)

    def losses(self, contents: Contents) -> list[str]:
        """What of a result the format cannot hold, a phrase each; nothing where all fits. Raises
        InputError for more objects than it has numbers."""
        if self.largest_id is not None and contents.objects > self.largest_id:
            raise InputError(
                f"the result holds {contents.objects} objects, this format numbers for"
                f" {self.largest_id}; choose another one, such as coco"
            )
        found = []
        if not self.overlap and contents.overlapping:
            frames = f"{contents.overlapping} frame{'s' * (contents.overlapping > 1)}"
            found.append(f"objects overlap on {frames}: the larger number will lie on top")
        strange = [i for i in (contents.smallest_id, contents.largest_id) if not self._numbers(i)]
        if contents.objects and strange:
            last = f" and end at {self.largest_id}" if self.largest_id is not None else ""
            found.append(
                f"object {strange[0]}: numbers begin at {self.first_id}{last} in this format, so"
                " objects will be numbered anew from 1"
            )
        return found

    def _numbers(self, object_id: int) -> bool:
        """Whether an object can have this number."""
        largest = object_id if self.largest_id is None else self.largest_id
        return self.first_id <= object_id <= largest

    def fitted(self, result: Result, contents: Contents) -> Result:
        """The result without what `losses` names."""
        if not self.overlap and contents.overlapping:
            result = without_overlap(result)
        if not all(map(self._numbers, (contents.smallest_id, contents.largest_id))):
            result = renumbered(result)
        return result


FORMATS: Mapping[str, Format] = {
    "coco": Format(
        write_coco,
        "masks (RLE, or polygons without holes), tracks, classes, scores, times",
        read_coco,
        outlines="option",
        run_lengths=True,
    ),
    "sa-v": Format(write_sa_v, "masks (RLE), tracks, classes", read_sa_v),
    "davis": Format(
        write_davis, "masks of objects that do not overlap", read_palettes, False, 254, 1
    ),
    "youtube-vos": Format(
        write_youtube_vos,
        "masks of objects that do not overlap, classes",
        read_youtube_vos,
        False,
        254,
        1,
    ),
    "mots-txt": Format(
        write_mots_txt,
        "masks (RLE) of objects that do not overlap, classes",
        read_mots_txt,
        False,
        999,
        1,
    ),
    "mots-png": Format(
        write_mots_png,
        "masks of objects that do not overlap, classes",
        read_mots_png,
        False,
        999,
        1,
    ),
    "cvat": Format(
        write_cvat,
        "masks (RLE, objects as groups; or polygon tracks without holes), classes",
        read_cvat,
        first_id=1,
        outlines="option",
    ),
    "labelme": Format(
        write_labelme,
        "masks (PNG, or polygons without holes), objects as groups, classes",
        read_labelme,
        outlines="option",
    ),
    "label-studio": Format(
        write_label_studio, "masks (brushes), classes, scores; objects by name", read_label_studio
    ),
    "datumaro": Format(write_datumaro, "masks (RLE), tracks, classes, scores", read_datumaro),
    "mask-video": Format(
        write_mask_videos, "masks (a lossless video an object), classes, times", read_mask_videos
    ),
    "nifti": Format(
        write_nifti,
        "masks of objects that do not overlap (a map of numbers), classes, times",
        read_nifti,
        False,
        LARGEST_ID,
        1,
        extra="nifti",
    ),
    "dicom-seg": Format(
        write_dicom_seg,
        "masks (a segment an object), tracks, classes",
        read_dicom_seg,
        extra="dicom",
        pictures=True,
    ),
    "dicom-sc": Format(
        write_dicom_sc, "masks (a secondary capture an object)", read_dicom_sc, extra="dicom"
    ),
    "csv": Format(write_csv, "presence, score, area, centroid and box; no masks"),
    "yolo-seg": Format(write_yolo, "polygons without holes, classes; no tracks", outlines="always"),
}
"""A new format is one file and one entry here."""
