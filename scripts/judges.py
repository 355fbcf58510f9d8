"""Readers of other people, each in its own words: what masks are in a folder that was exported.

Run by format_judges.py, perhaps in an interpreter that has the judge's library and not sam2s.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

SIZE = 97, 131
"""Of the result that is exported, (H, W)."""
Seen = tuple[int, int, np.ndarray]
"""Frame, object (-1 where the reader does not know it) and its (H, W) bool mask."""


def pycocotools(folder: Path) -> Iterator[Seen]:
    from pycocotools.coco import COCO

    coco = COCO(str(folder / "annotations.json"))
    for one in coco.loadAnns(coco.getAnnIds()):
        frame = coco.loadImgs(one["image_id"])[0]["frame_id"]
        yield frame, one["track_id"], coco.annToMask(one).astype(bool)


def pycocotools_sa_v(folder: Path) -> Iterator[Seen]:
    from pycocotools import mask as coco

    content = json.loads((folder / "op_manual.json").read_text())
    for frame, codes in zip(content["frame_indices"], content["masklet"], strict=True):
        for object_id, code in zip(content["masklet_id"], codes, strict=True):
            yield frame, object_id, coco.decode(code).astype(bool)


def supervision(folder: Path) -> Iterator[Seen]:
    from supervision import DetectionDataset

    data = DetectionDataset.from_coco(str(folder), str(folder / "annotations.json"), True)
    for path, _, detections in data:
        for mask in detections.mask if detections.mask is not None else ():
            yield int(Path(path).stem), -1, mask.astype(bool)


def datumaro(folder: Path) -> Iterator[Seen]:
    yield from _datumaro(folder, "datumaro", lambda one: one.attributes["track_id"])


def datumaro_coco(folder: Path) -> Iterator[Seen]:
    for needed in ("annotations", "images"):
        (folder / needed).mkdir()
    shutil.move(folder / "annotations.json", folder / "annotations" / "instances_default.json")
    yield from _datumaro(folder, "coco_instances", lambda one: one.attributes.get("track_id", -1))


def datumaro_cvat(folder: Path) -> Iterator[Seen]:
    yield from _datumaro(folder, "cvat", lambda one: one.group)


def datumaro_cvat_masks(folder: Path) -> Iterator[Seen]:
    """Its reader knows masks of CVAT's pictures and none of its videos: the same mask elements are
    handed to it as those of pictures."""
    from PIL import Image

    root = ElementTree.parse(folder / "annotations.xml").getroot()
    (folder / "images").mkdir()
    pictures: dict[int, ElementTree.Element] = {}
    for track in root.findall("track"):
        for mask in track.findall("mask[@outside='0']"):
            frame = int(mask.attrib.pop("frame"))
            size = {"width": str(SIZE[1]), "height": str(SIZE[0])}
            name = f"{frame:05d}.jpg"
            Image.new("RGB", SIZE[::-1]).save(folder / "images" / name)
            picture = ElementTree.Element("image", {"id": str(frame), "name": name, **size})
            mask.attrib.update(label=track.attrib["label"], group_id=track.attrib["group_id"])
            pictures.setdefault(frame, picture).append(mask)
        root.remove(track)
    root.extend(pictures[frame] for frame in sorted(pictures))
    ElementTree.ElementTree(root).write(folder / "annotations.xml")
    yield from datumaro_cvat(folder)


def datumaro_mots(folder: Path) -> Iterator[Seen]:
    shutil.move(folder / "op", folder / "instances")
    yield from _datumaro(folder, "mots", lambda one: one.attributes["track_id"])


def _datumaro(folder: Path, name: str, object_of: Callable[[Any], int]) -> Iterator[Seen]:
    from datumaro.components.annotation import Mask, Polygon
    from datumaro.components.dataset import Dataset
    from pycocotools import mask as coco

    found: dict[tuple[int, int], np.ndarray] = {}
    for item in Dataset.import_from(str(folder), name):
        frame = int(item.attributes.get("frame", item.id.split("_")[-1]))
        for one in item.annotations:
            if one.attributes.get("outside") or not isinstance(one, Polygon | Mask):
                continue
            if isinstance(one, Polygon):
                codes = coco.frPyObjects([one.points], *SIZE)
                mask = coco.decode(coco.merge(codes)).astype(bool)
            else:
                mask = np.asarray(one.image).astype(bool)
            key = frame, int(object_of(one))
            if key[1] < 0:
                yield *key, mask
            else:
                found[key] = found[key] | mask if key in found else mask
    for (frame, object_id), mask in found.items():
        yield frame, object_id, mask


def trackeval_mots(folder: Path) -> Iterator[Seen]:
    from trackeval.datasets import KittiMOTS

    (folder / "label_02").mkdir()
    (folder / "trackers" / "ours" / "data").mkdir(parents=True)
    shutil.copy(folder / "op.txt", folder / "label_02" / "op.txt")
    shutil.copy(folder / "op.txt", folder / "trackers" / "ours" / "data" / "op.txt")
    yield from _trackeval(KittiMOTS, folder, folder, {"op": 12})


def trackeval_davis(folder: Path) -> Iterator[Seen]:
    from trackeval.datasets import DAVIS

    shutil.copytree(folder / "Annotations", folder / "trackers" / "ours" / "data")
    yield from _trackeval(DAVIS, folder / "Annotations", folder, {"op": 12})


def _trackeval(kind: Any, truth: Path, folder: Path, videos: dict[str, int]) -> Iterator[Seen]:
    from pycocotools import mask as coco

    config = {
        "GT_FOLDER": str(truth),
        "TRACKERS_FOLDER": str(folder / "trackers"),
        "SEQ_INFO": videos,
        "PRINT_CONFIG": False,
    }
    raw = kind(config).get_raw_seq_data("ours", "op")
    for side in ("gt", "tracker"):
        for frame, codes in enumerate(raw[f"{side}_dets"]):
            for number, code in zip(raw[f"{side}_ids"][frame], codes, strict=True):
                if side == "tracker":
                    yield frame, int(number) % 1000, coco.decode(code).astype(bool)


def label_studio(folder: Path) -> Iterator[Seen]:
    from label_studio_sdk.converter.brush import decode_rle

    for task in json.loads((folder / "tasks.json").read_text()):
        for region in task["predictions"][0]["result"]:
            size = region["original_height"], region["original_width"]
            pixels = decode_rle(region["value"]["rle"]).reshape(*size, 4)
            yield task["data"]["frame"], int(region["id"].split("-")[1]), pixels[..., 3] > 0


def labelme(folder: Path) -> Iterator[Seen]:
    from labelme._label_file import read_label_file
    from labelme.utils import shapes_to_label

    for path in sorted((folder / "op").glob("*.json")):
        data = read_label_file(str(path))
        for shape in data.shapes:
            labels = {shape["label"]: 1}
            drawn, _ = shapes_to_label(SIZE, [shape], labels)
            yield int(path.stem), shape["group_id"], drawn > 0


def nibabel(folder: Path) -> Iterator[Seen]:
    import nibabel

    voxels = np.asarray(nibabel.load(folder / "op.nii.gz").dataobj)
    for frame in range(voxels.shape[2]):
        plane = voxels[:, :, frame].T
        for number in np.unique(plane[plane > 0]).tolist():
            yield frame, number, plane == number


def highdicom(folder: Path) -> Iterator[Seen]:
    from highdicom.seg import segread

    seg = segread(folder / "segmentation.dcm")
    about = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID
    numbers = list(seg.segment_numbers)
    pixels = seg.get_pixels_by_source_frame(
        about,
        list(range(1, 13)),
        segment_numbers=numbers,
        assert_missing_frames_are_empty=True,
        ignore_spatial_locations=True,
    )
    for place, number in enumerate(numbers):
        object_id = int(seg.get_segment_description(number).tracking_id.split()[1])
        for frame in range(len(pixels)):
            yield frame, object_id, pixels[frame, :, :, place] > 0


def pydicom(folder: Path) -> Iterator[Seen]:
    from pydicom import dcmread

    for path in sorted(folder.glob("*.dcm")):
        for frame, plane in enumerate(dcmread(path).pixel_array):
            yield frame, int(path.stem), plane > 127


def opencv(folder: Path) -> Iterator[Seen]:
    import cv2

    for path in sorted(folder.glob("*.mkv")):
        video, frame = cv2.VideoCapture(str(path)), 0
        while (read := video.read())[0]:
            yield frame, int(path.stem), read[1][:, :, 0] > 127
            frame += 1


@dataclass(frozen=True)
class Judge:
    """``library``: as pip calls it; ``format``: of the export; ``how``: in which form."""

    name: str
    library: str
    format: str
    read: Callable[[Path], Iterator[Seen]]
    how: str = ""
    polygons: bool = False
    compressed: bool = True
    pictures: bool = False


JUDGES = (
    Judge("coco", "pycocotools", "coco", pycocotools),
    Judge("coco-lists", "pycocotools", "coco", pycocotools, ", run lengths as lists", False, False),
    Judge("coco-polygons", "pycocotools", "coco", pycocotools, ", outlines", True),
    Judge("sa-v", "pycocotools", "sa-v", pycocotools_sa_v),
    Judge(
        *("supervision", "supervision", "coco", supervision),
        *(", run lengths as lists", False, False, True),
    ),
    Judge("datumaro", "datumaro", "datumaro", datumaro),
    Judge("datumaro-coco", "datumaro", "coco", datumaro_coco),
    Judge("datumaro-cvat", "datumaro", "cvat", datumaro_cvat_masks, ", masks as of pictures"),
    Judge("datumaro-cvat-polygons", "datumaro", "cvat", datumaro_cvat, ", outlines", True),
    Judge("datumaro-mots", "datumaro", "mots-png", datumaro_mots),
    Judge("trackeval-mots", "trackeval", "mots-txt", trackeval_mots, " (as KITTI MOTS)"),
    Judge("trackeval-davis", "trackeval", "davis", trackeval_davis),
    Judge("trackeval-ytvos", "trackeval", "youtube-vos", trackeval_davis, " (as DAVIS)"),
    Judge("label-studio", "label-studio-sdk", "label-studio", label_studio),
    Judge("labelme", "labelme", "labelme", labelme, pictures=True),
    Judge("nibabel", "nibabel", "nifti", nibabel),
    Judge("highdicom", "highdicom", "dicom-seg", highdicom),
    Judge("pydicom", "pydicom", "dicom-sc", pydicom),
    Judge("opencv", "opencv-python", "mask-video", opencv),
)


def main(name: str, folder: str, out: str) -> None:
    """Write what the judge ``name`` sees in ``folder``, and print its version."""
    one = next(judge for judge in JUDGES if judge.name == name)
    with redirect_stdout(sys.stderr):  # libraries talk
        seen = list(one.read(Path(folder)))
    frames, objects, masks = zip(*seen, strict=True)
    np.savez_compressed(out, frames=frames, objects=objects, masks=np.array(masks))
    print(json.dumps({"version": version(one.library)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
