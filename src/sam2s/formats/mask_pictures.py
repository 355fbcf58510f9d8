"""Pictures of masks as a result: a folder an object, or palettes."""

from __future__ import annotations

from collections.abc import Iterator

from sam2s.errors import InputError
from sam2s.formats.result import ObjectMask, Result, ResultFrame
from sam2s.masklets.mask_folders import VideoMasks
from sam2s.media.pictures import natural_key


def result_of_masks(video: VideoMasks) -> Result:
    """The masks of one video on disk. A frame's number is its name where all names are numbers, as
    in SA-V, else its place. Raises InputError where nothing can be read, and, with the frames, for
    masks of different size."""
    ids = list(video.objects)
    named = {frame for i in ids for frame in video.masks.frames(i)}
    order = sorted(named, key=natural_key)
    numbers = [int(name) if name.isdecimal() else -1 for name in order]
    if min(numbers, default=-1) < 0 or len(set(numbers)) < len(numbers):
        numbers = list(range(len(order)))
    known = (video.masks.read(i, frame) for i in ids for frame in video.masks.frames(i))
    first = next((mask for mask in known if mask is not None), None)
    if first is None:
        raise InputError(f"{video.name}: no mask of it can be read")
    size, fps = (first.shape[0], first.shape[1]), video.info.fps

    def frames() -> Iterator[ResultFrame]:
        for place, (index, name) in enumerate(zip(numbers, order, strict=True)):
            masks = {i: mask for i in ids if (mask := video.masks.read(i, name)) is not None}
            wrong = next((mask.shape for mask in masks.values() if mask.shape != size), None)
            if wrong is not None:
                raise InputError(
                    f"{video.name}, frame {name}: its mask is {wrong[1]} x {wrong[0]} pixels, the"
                    f" video's first one {size[1]} x {size[0]}"
                )
            found = {i: ObjectMask.of(mask) for i, mask in masks.items()}
            yield ResultFrame(index, place / fps if fps else None, found)

    names = {i: one.class_name for i, one in video.objects.items() if one.class_name is not None}
    return Result(video.name, size, fps, names, frames)
