"""NIfTI: one ``<video>.nii.gz``, a map of object numbers with time as third axis, as MedSAM2 and 3D
Slicer take it; ``objects.json`` beside it says what its frames are.

Voxel (x, y, t) is pixel (x, y) of the t-th frame. There is no anatomy in it: the affine only turns
pictures upright in viewers that think in RAS, and a voxel is a pixel wide. Needs nibabel.
"""

from __future__ import annotations

import gzip
import logging
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.result import ExportOptions, Key, ObjectMask, Result, collected
from sam2s.formats.sidecar import FILE, Sidecar, read_sidecar, write_sidecar
from sam2s.media.pictures import MAX_PIXELS, check_pixels

LARGEST_ID = 2**16 - 1
LONGEST_FIRST = 2**15 - 1
"""NIfTI-1 counts each axis with 15 bits; longer videos are NIfTI-2."""
UPRIGHT = np.diag([-1.0, -1.0, 1.0, 1.0])
"""x of a picture runs to the patient's left, y to the back, as on a slice that lies flat."""


def write_nifti(result: Result, out: Path, _options: ExportOptions) -> None:
    """Write ``out/<video>.nii.gz`` and ``out/objects.json``, one frame in memory at a time."""
    name = f"{result.video}.nii.gz"
    about = write_sidecar(result, out, dict.fromkeys(result.ids, name))
    # Without the file's name and the time, which gzip would keep.
    with open(out / name, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        _write_head(packed, result.size, len(about.frames))
        for frame in result.frames():
            plane = np.zeros(result.size, "<u2")
            for object_id, found in sorted(frame.masks.items()):
                plane[found.mask] = object_id
            packed.write(plane.tobytes())  # rows one after another: x is the first axis


def _write_head(file: Any, size: tuple[int, int], frames: int) -> None:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    head = Nifti1Header() if max(*size, frames) <= LONGEST_FIRST else Nifti2Header()
    head.set_data_dtype("<u2")
    head.set_data_shape((size[1], size[0], frames))
    head.set_sform(UPRIGHT, code="aligned")
    head.set_qform(UPRIGHT, code="unknown")
    # In one file with the voxels, which follow four zeros that say: no extensions.
    head["magic"] = head.single_magic
    head["vox_offset"] = head.sizeof_hdr + 4
    head.write_to(file)


def read_nifti(folder: Path) -> Result:
    """A result from the one NIfTI file of a folder, or from a file of another program: whole
    numbers are objects, 0 is none. Raises InputError for other files."""
    files = sorted(folder.glob("*.nii*")) if folder.is_dir() else [folder]
    if len(files) != 1:
        raise InputError(f"{folder}: expected one NIfTI file (.nii or .nii.gz)")
    path = files[0]
    about = read_sidecar(path.parent) if (path.parent / FILE).exists() else None
    try:
        planes = _planes(path)
        size = planes.shape[1], planes.shape[0]
        if about is not None and (about.height, about.width, len(about.frames)) != (
            *size,
            planes.shape[2],
        ):
            raise InputError(f"{path}: is {planes.shape}, which {FILE} beside it does not say")
        found = _masks(planes, about)
    except InputError:
        raise
    except Exception as error:  # nibabel raises what its many formats make of damaged bytes
        raise InputError(f"{path}: cannot be read as NIfTI ({error!r})") from error
    if about is not None:
        return about.result(found)
    return collected(path.name.split(".")[0], size, found)


class _Planes:
    """A NIfTI file's voxels, (W, H, T), read frame by frame."""

    def __init__(self, data: Any) -> None:
        self._data = data
        sides = [side for place, side in enumerate(data.shape) if place < 2 or side != 1]
        if not 2 <= len(sides) <= 3:
            raise InputError(f"is of shape {data.shape}; expected (width, height, frames)")
        self.shape = (*sides[:2], sides[2] if len(sides) == 3 else 1)

    def __getitem__(self, number: int) -> np.ndarray:
        """(H, W) of a frame."""
        place = tuple(
            slice(None) if axis < 2 else (number if side != 1 else 0)
            for axis, side in enumerate(self._data.shape)
        )
        return np.asarray(self._data[place]).T


def _planes(path: Path) -> _Planes:
    import nibabel

    # What it mends in a damaged head it would say on the terminal.
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    image: Any = nibabel.load(path, keep_file_open=True)
    height, width = image.shape[1], image.shape[0]
    check_pixels(height, width, MAX_PIXELS, str(path))
    return _Planes(image.dataobj)


def _masks(planes: _Planes, about: Sidecar | None) -> dict[int, dict[Key, ObjectMask]]:
    """{frame: {object id: mask}} of what is shown."""
    found: dict[int, dict[Key, ObjectMask]] = {}
    for place in range(planes.shape[2]):
        plane = planes[place]
        numbers = np.unique(plane)
        if (numbers != np.round(numbers)).any() or numbers.min(initial=0) < 0:
            raise InputError("holds numbers that are no object's: expected whole ones, 0 or more")
        index = place if about is None else about.frames[place]
        shown = [int(number) for number in numbers if number > 0]
        found[index] = {number: ObjectMask.of(plane == number) for number in shown}
    return found
