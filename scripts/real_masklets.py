"""Lay out two public sets of labelled endoscopy as masklet folders: python scripts/real_masklets.py
REAL OUT

``REAL`` holds ``vocalfolds/{images,labels}/<sequence>/`` (Laves et al. 2019; grey values of
classes) and ``cvc_clinicdb/{images,masks}/<sequence>/`` (Bernal et al. 2015; white polyps). ``OUT``
gets one masklet folder with a video per sequence. Neither set says which region is which object
over time, so these rules decide, and leave out what they cannot know:

1. A component (8-connected) below 0.1 % of the picture is a speck. It is dropped; a frame on which
a label has nothing
   but specks is not annotated for it.
2. Glottis, pathology and intubation tube are one thing each: one masklet per sequence, absent where
the label is
   absent. A frame whose second largest component has more than a tenth of the largest one's area is
   not annotated. A polyp sequence that never shows two components is one polyp.
3. The surgical tool label covers the laryngoscope's wall, forceps and more, and a polyp sequence
may show several
   polyps: there components are linked from frame to frame by best total overlap (Hungarian), at an
   IoU of 0.1 or more. Once a chain ends, or before it begins, frames with a component of no chain's
   or another chain's are not annotated for it, since that could be the same object come back;
   frames without the label say absent.
4. A masklet seen on fewer than four frames is dropped.

The recipe of ``nano`` trains on laryngeal sequences 1 to 4 (split ``train``); the other two and all
of CVC-ClinicDB are never trained on (split ``test``).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from sam2s.masklets.catalogue import Kind
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.media.pictures import list_pictures, read_rgb

SPECK = 0.001
AMBIGUOUS = 0.1
LINK_IOU = 0.1
FEWEST_FRAMES = 4
TRAINED_ON = ("vocalfolds_seq1", "vocalfolds_seq2", "vocalfolds_seq3", "vocalfolds_seq4")

Track = list[np.ndarray | None]
"""One masklet: per frame a mask, all False = absent, None = not annotated."""


@dataclass(frozen=True, slots=True)
class Label:
    """A grey value and what it means. ``single``: one thing per sequence (rule 2), else components
    are linked."""

    value: int
    name: str | None
    kind: Kind
    single: bool


LARYNX = (
    Label(3, "glottis", "tissue", True),
    Label(4, "laryngeal lesion", "tissue", True),
    Label(5, None, "instrument", False),
    Label(6, "intubation tube", "instrument", True),
)
POLYP = (Label(255, "polyp", "tissue", False),)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("real", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    with MaskletWriter(given.out) as writer:
        for sequence in _sequences(given.real / "vocalfolds" / "images"):
            labels = given.real / "vocalfolds" / "labels" / sequence.name
            write_sequence(writer, sequence, labels, LARYNX, "vocalfolds", "laryngoscopy")
        for sequence in _sequences(given.real / "cvc_clinicdb" / "images"):
            labels = given.real / "cvc_clinicdb" / "masks" / sequence.name
            write_sequence(writer, sequence, labels, POLYP, "cvc_clinicdb", "colonoscopy")


def write_sequence(
    writer: MaskletWriter,
    images: Path,
    labels: Path,
    classes: Sequence[Label],
    source: str,
    procedure: str,
) -> None:
    """One sequence as one video; a sequence without a masklet is left out, as is one that
    ``writer`` already has."""
    name = f"{source}_{images.name}"
    if name in writer.finished:
        return
    pictures = list_pictures(images)
    planes = [
        np.asarray(Image.open(labels / f"{picture.stem}.png").convert("L")) for picture in pictures
    ]
    found = [(label, track) for label in classes for track in masklets(planes, label)]
    print(
        f"{name}: {len(pictures)} frames, {len(found)} masklets"
        f" {[label.name or 'tool' for label, _ in found]}"
    )
    if not found:
        return
    objects = {i: ObjectInfo(label.name, label.kind) for i, (label, _) in enumerate(found, 1)}
    writer.add_video(
        name, VideoInfo(source, procedure, "train" if name in TRAINED_ON else "test", None, objects)
    )
    for k, picture in enumerate(pictures):
        masks = {i: mask for i, (_, track) in enumerate(found, 1) if (mask := track[k]) is not None}
        writer.write(name, picture.stem, read_rgb(picture), masks)
    writer.finish()


def masklets(planes: Sequence[np.ndarray], label: Label) -> list[Track]:
    """The masklets of one label in one sequence, longest first."""
    # Masks of 0 and 255 may have been through a lossy format; classes are exact.
    regions = [plane > 127 if label.value == 255 else plane == label.value for plane in planes]
    parts = [components(region) for region in regions]
    lonely = label.value == 255 and all(len(frame) <= 1 for frame in parts)
    tracks = [one_thing(regions, parts)] if label.single or lonely else linked(regions, parts)
    tracks = [t for t in tracks if sum(m is not None and bool(m.any()) for m in t) >= FEWEST_FRAMES]
    return sorted(tracks, key=lambda t: -sum(m is not None and bool(m.any()) for m in t))


def components(region: np.ndarray) -> list[np.ndarray]:
    """The region's 8-connected components that are no specks, largest first."""
    numbered, count = ndimage.label(region, np.ones((3, 3)))
    areas = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    kept = [i for i in np.argsort(-areas, kind="stable") if areas[i] >= SPECK * region.size]
    return [numbered == i + 1 for i in kept]


def one_thing(regions: Sequence[np.ndarray], parts: Sequence[Sequence[np.ndarray]]) -> Track:
    """Rule 2: the whole label is the object, where it is one connected thing."""
    track: Track = []
    for region, frame in zip(regions, parts, strict=True):
        if not frame:
            track.append(None if region.any() else region)
        elif len(frame) > 1 and frame[1].sum() > AMBIGUOUS * frame[0].sum():
            track.append(None)
        else:
            track.append(np.logical_or.reduce(frame))
    return track


def linked(regions: Sequence[np.ndarray], parts: Sequence[Sequence[np.ndarray]]) -> list[Track]:
    """Rule 3: chains of overlapping components."""
    chains: list[dict[int, np.ndarray]] = []
    for k, frame in enumerate(parts):
        before = [chain for chain in chains if k - 1 in chain]
        match = _match([chain[k - 1] for chain in before], frame)
        for j, part in enumerate(frame):
            if j in match:
                before[match[j]][k] = part
            else:
                chains.append({k: part})
    return [_annotate(chain, regions) for chain in chains]


def _match(old: Sequence[np.ndarray], new: Sequence[np.ndarray]) -> Mapping[int, int]:
    """{place in new: place in old} of the pairs that overlap enough."""
    if not old or not new:
        return {}
    overlap = np.array([[(a & b).sum() / (a | b).sum() for b in old] for a in new])
    pairs = zip(*linear_sum_assignment(-overlap), strict=True)
    return {int(i): int(j) for i, j in pairs if overlap[i, j] >= LINK_IOU}


def _annotate(chain: Mapping[int, np.ndarray], regions: Sequence[np.ndarray]) -> Track:
    """The chain's masks; elsewhere absent where nothing has the label, else not annotated."""
    return [
        chain[k] if k in chain else None if region.any() else region
        for k, region in enumerate(regions)
    ]


def _sequences(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


if __name__ == "__main__":
    main()
