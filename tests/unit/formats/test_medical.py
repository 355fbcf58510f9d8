"""NIfTI and DICOM, as nibabel, pydicom and highdicom read them."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from highdicom import _standard_utils as standard
from highdicom.seg import segread
from PIL import Image

from sam2s import extras
from sam2s.errors import InputError
from sam2s.formats.dicom_seg_reader import read_dicom_seg
from sam2s.formats.nifti import read_nifti
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions, ObjectMask, Result, collected

pytestmark = pytest.mark.filterwarnings("ignore")  # of nibabel, pydicom and highdicom themselves


def three_frames(frames: tuple[int, ...] = (4, 5, 9)) -> Result:
    """Objects 2 and 300, apart, on frames of an odd size; nothing on the second one."""
    shown = {}
    for place, index in enumerate(frames):
        masks = np.zeros((2, 5, 7), bool)
        if place != 1:
            masks[0, 1:3, place : place + 3] = True
            masks[1, 4] = True
        shown[index] = {2: ObjectMask.of(masks[0]), 300: ObjectMask.of(masks[1])}
    return collected("op", (5, 7), shown, {2: "grasper"}, 25.0)


def test_nifti_is_a_map_of_numbers_over_time(tmp_path: Path):
    FORMATS["nifti"].write(three_frames(), tmp_path, ExportOptions())
    image = nibabel.load(tmp_path / "op.nii.gz")
    voxels = np.asarray(image.dataobj)
    assert (voxels.shape, voxels.dtype) == ((7, 5, 3), np.uint16)
    for place, frame in enumerate(three_frames().frames()):
        for object_id, found in frame.masks.items():
            np.testing.assert_array_equal(object_id == voxels[:, :, place].T, found.mask)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    packed = (tmp_path / "op.nii.gz").read_bytes()
    assert packed[3] & 0b1000 == 0  # no file name
    assert packed[4:8] == b"\0" * 4  # no time
    assert gzip.decompress(packed)[344:348] == b"n+1\0"


def test_long_videos_are_nifti_2(tmp_path: Path):
    one = ObjectMask.of(np.ones((1, 1), bool))
    long = collected("op", (1, 1), {index: {1: one} for index in range(2**15)})
    FORMATS["nifti"].write(long, tmp_path, ExportOptions())
    image = nibabel.load(tmp_path / "op.nii.gz")
    assert isinstance(image, nibabel.Nifti2Image)
    assert image.shape == (1, 1, 2**15)


def test_nifti_of_others_is_read(tmp_path: Path):
    voxels = np.zeros((4, 3, 2))
    voxels[1, 2, 1] = 5
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / "labels.nii")
    first, second = read_nifti(tmp_path).frames()
    assert not first.masks[5].mask.any()
    assert second.masks[5].mask.nonzero() == (np.array([2]), np.array([1]))


def test_damaged_nifti_is_one_line(tmp_path: Path):
    nibabel.save(nibabel.Nifti1Image(np.full((4, 3, 2), 0.5), np.eye(4)), tmp_path / "a.nii")
    for spoil in (None, b"", b"text", (tmp_path / "a.nii").read_bytes()[:360]):
        if spoil is not None:
            (tmp_path / "a.nii").write_bytes(spoil)
        with pytest.raises(InputError) as said:
            read_nifti(tmp_path)
        assert "\n" not in str(said.value)


def test_highdicom_reads_the_segmentation(tmp_path: Path):
    FORMATS["dicom-seg"].write(three_frames(), tmp_path, ExportOptions())
    about = pydicom.dcmread(tmp_path / "objects.dcm")
    union = [frame.masks[2].mask | frame.masks[300].mask for frame in three_frames().frames()]
    np.testing.assert_array_equal(about.pixel_array > 0, union)
    seg = segread(tmp_path / "segmentation.dcm")
    assert [d.segment_label for d in map(seg.get_segment_description, (1, 2))] == [
        "grasper",
        "object",
    ]
    pixels = seg.get_pixels_by_source_frame(
        about.SOPInstanceUID,
        [1, 2, 3],
        segment_numbers=[1, 2],
        assert_missing_frames_are_empty=True,
        ignore_spatial_locations=True,
    )
    for place, frame in enumerate(three_frames().frames()):
        for segment, found in enumerate(frame.masks.values()):
            np.testing.assert_array_equal(pixels[place, :, :, segment] > 0, found.mask)


def required_is_there(path: Path) -> list[str]:
    """Attributes of type 1 and 2 of the modules that the standard demands (highdicom's tables)."""
    one = pydicom.dcmread(path)
    iod = standard.get_sop_class_iod_map()[one.SOPClassUID]
    modules = [m["key"] for m in standard.get_iod_module_map()[iod] if m["usage"] == "M"]
    lacking = []
    for module in modules:
        try:
            standard.check_required_attributes(one, module=module, check_optional_sequences=False)
        except AttributeError as error:
            # What is said of each frame need not be said of all frames.
            if "at path ['SharedFunctionalGroupsSequence']" not in str(error):
                lacking.append(f"{module}: {error}")
    assert len(modules) > 8
    return lacking


@pytest.mark.parametrize("pictures", [False, True])
def test_dicom_holds_what_the_standard_demands(tmp_path: Path, pictures: bool):
    (tmp_path / "source").mkdir()
    for index in range(10):
        Image.new("RGB", (7, 5), (20 * index, 90, 0)).save(tmp_path / f"source/{index}.png")
    source = tmp_path / "source" if pictures else None
    for name in ("dicom-seg", "dicom-sc"):
        (tmp_path / name).mkdir()
        FORMATS[name].write(three_frames(), tmp_path / name, ExportOptions(pictures=source))
        for path in (tmp_path / name).glob("*.dcm"):
            assert required_is_there(path) == []
            one = pydicom.dcmread(path)
            assert (one.PatientName, one.PatientID, one.StudyDate) == ("", "", "")
            assert one.ContentDate == date.today().strftime("%Y%m%d")
    if pictures:
        drawn = pydicom.dcmread(tmp_path / "dicom-seg/pictures.dcm").pixel_array
        assert drawn.shape == (3, 5, 7, 3)
        assert [abs(int(d[0, 0, 0]) - 20 * i) < 6 for d, i in zip(drawn, (4, 5, 9), strict=True)]


def test_pictures_have_to_be_those_of_the_result(tmp_path: Path):
    Image.new("RGB", (7, 5)).save(tmp_path / "0.png")
    with pytest.raises(InputError, match="lacks 3 of the result's frames, such as 4"):
        FORMATS["dicom-seg"].write(three_frames(), tmp_path, ExportOptions(pictures=tmp_path))
    Image.new("RGB", (6, 5)).save(tmp_path / "0.png")
    with pytest.raises(InputError, match="is 6 x 5 pixels, the masks 7 x 5"):
        FORMATS["dicom-seg"].write(three_frames((0,)), tmp_path, ExportOptions(pictures=tmp_path))


def test_segmentations_of_others_are_read(tmp_path: Path):
    """Without our table of frames and our identifiers: segments keep their numbers."""
    FORMATS["dicom-seg"].write(three_frames(), tmp_path, ExportOptions())
    one = pydicom.dcmread(tmp_path / "segmentation.dcm")
    for segment in one.SegmentSequence:
        segment.TrackingID = "something else"
    (tmp_path / "objects.json").unlink()
    one.save_as(tmp_path / "other.dcm")
    back = list(read_dicom_seg(tmp_path / "other.dcm").frames())
    for frame, ours in zip(back, three_frames().frames(), strict=True):
        np.testing.assert_array_equal(frame.masks[1].mask, ours.masks[2].mask)
        np.testing.assert_array_equal(frame.masks[2].mask, ours.masks[300].mask)


def test_damaged_segmentations_are_one_line(tmp_path: Path):
    FORMATS["dicom-seg"].write(three_frames(), tmp_path, ExportOptions())
    whole = (tmp_path / "segmentation.dcm").read_bytes()
    picture = (tmp_path / "objects.dcm").read_bytes()
    for spoilt in (b"", b"text", whole[:-8], whole[: len(whole) // 2], picture):
        (tmp_path / "segmentation.dcm").write_bytes(spoilt)
        with pytest.raises(InputError) as said:
            read_dicom_seg(tmp_path)
        assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("name", "library"), [("nifti", "nibabel"), ("dicom-seg", "pydicom"), ("dicom-sc", "pydicom")]
)
def test_a_missing_extra_is_said_before_any_work(monkeypatch, name: str, library: str):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    with pytest.raises(InputError) as said:
        FORMATS[name].check(name, ExportOptions())
    extra = name.split("-")[0]
    assert str(said.value) == (
        f"{name} needs {library}; install it with: pip install 'sam2s[{extra}]'"
    )


def test_frames_keep_their_numbers(tmp_path: Path):
    for name in ("nifti", "dicom-seg", "dicom-sc", "mask-video"):
        (tmp_path / name).mkdir()
        FORMATS[name].write(three_frames(), tmp_path / name, ExportOptions())
        assert [f.index for f in FORMATS[name].read(tmp_path / name).frames()] == [4, 5, 9]
        about = json.loads((tmp_path / name / "objects.json").read_text())
        assert about["names"] == {"2": "grasper"}
