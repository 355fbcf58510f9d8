"""From clips to the tensors that a training step eats: read, augment, collate clips into rows of
(clip, object)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2s.clips.augment import AugmentConfig, apply, draw, fit, identity
from sam2s.clips.clips import Clip
from sam2s.clips.doubles import add_double
from sam2s.clips.repaint import repaint
from sam2s.masklets.catalogue import ObjectInfo
from sam2s.masklets.kept import LabelledVideo


@dataclass(frozen=True, eq=False)
class ClipSample:
    """One clip at model size.

    ``images`` (T, 3, S, S) uint8 RGB; ``masks`` (T, O, S, S) bool; ``annotated`` (T, O) bool;
    ``classes``: O class names, None for objects that are not instruments. ``rivals`` (T, O, S, S)
    bool: pixels of an object's double, None where the clip has none.
    """

    clip: Clip
    images: Tensor
    masks: Tensor
    annotated: Tensor
    classes: tuple[str | None, ...]
    rivals: Tensor | None = None


@dataclass(frozen=True, eq=False)
class ClipBatch:
    """B clips of T frames with N (clip, object) rows in all.

    ``images`` (B, T, 3, S, S) uint8 RGB, normalised where the network runs, so that a quarter of
    the bytes travels; ``masks`` (T, N, S, S) bool; ``annotated`` (T, N) bool; ``clip_of_row`` (N,)
    int64; ``times``: T clock positions of each clip; ``classes``: N class
    names or None. ``rivals`` (T, N, S, S) bool: pixels of a row's double (`doubles`), None where no
    clip has one.
    """

    clips: tuple[Clip, ...]
    images: Tensor
    masks: Tensor
    annotated: Tensor
    clip_of_row: Tensor
    times: tuple[tuple[int, ...], ...]
    classes: tuple[str | None, ...]
    rivals: Tensor | None = None

    @property
    def frames(self) -> int:
        """T, the number of frames of each clip."""
        return self.images.shape[1]

    @property
    def rows(self) -> int:
        """N, the number of tracked (clip, object) pairs."""
        return len(self.clip_of_row)

    @property
    def long_term(self) -> int:
        """How many frames after the first are DiveMem's long-term memories; the same for all
        clips."""
        return self.clips[0].long_term

    @cached_property
    def known(self) -> BatchFacts:
        """What Python decides by, on the host. Computed once, by `collate`; copies of the batch
        elsewhere have it from there, so that nobody waits for a device to say it."""
        masks, annotated = self.masks.cpu().numpy(), self.annotated.cpu().numpy()
        # (T, N, S, S) -> (T, N, S * S) -> (T, N)
        visible = annotated & masks.reshape(*masks.shape[:2], -1).any(axis=2)
        owners = tuple(clip for clip, some in enumerate(self.clips) for _ in some.objects)
        return BatchFacts(annotated, visible, owners)

    def now(self, step: int) -> list[int]:
        """Clock position of every row at frame ``step`` of its clip."""
        return [self.times[clip][step] for clip in self.known.owners]

    def to(self, device: torch.device | str) -> ClipBatch:
        """The same batch with its tensors on ``device``; from pinned memory nobody waits for
        it."""
        return self._changed(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> ClipBatch:
        """The same batch in page-locked memory; ``DataLoader`` calls it by this name."""
        return self._changed(torch.Tensor.pin_memory)

    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by the names of their fields."""
        names = ("images", "masks", "annotated", "clip_of_row", "rivals")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _changed(self, change: Callable[[Tensor], Tensor]) -> ClipBatch:
        changed: dict[str, Any] = {name: change(t) for name, t in self.tensors().items()}
        same = replace(self, **changed)
        vars(same)["known"] = self.known
        return same


@dataclass(frozen=True, eq=False)
class BatchFacts:
    """What is known of a `ClipBatch` without asking a device.

    ``annotated`` (T, N) bool; ``visible`` (T, N) bool: annotated, with a pixel of the object.
    ``owners``: the clip of each of the N rows.
    """

    annotated: np.ndarray
    visible: np.ndarray
    owners: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class RawClip:
    """One clip at the size of its pictures, before any augmentation.

    ``images`` (T, H, W, 3) uint8; ``masks`` (T, O, H, W) bool; ``annotated`` (T, O) bool;
    ``infos``: of the O objects of ``clip``, in their order.
    """

    clip: Clip
    images: np.ndarray
    masks: np.ndarray
    annotated: Tensor
    infos: Sequence[ObjectInfo]


def load_clip(
    video: LabelledVideo,
    clip: Clip,
    size: int,
    augment: AugmentConfig | None,
    rng: np.random.Generator,
) -> ClipSample:
    """Read a clip's pixels and masks, change them, and keep the objects still in view on the first
    frame.

    A drawn change that pushes every object out of the first frame is replaced by none.
    """
    images = np.stack([video.image(frame) for frame in clip.frames])
    masks, annotated = _read_masks(video, clip, images.shape[1:3])
    infos = [video.info.objects[object_id] for object_id in clip.objects]
    return finish_clip(RawClip(clip, images, masks, annotated, infos), size, augment, rng)


def finish_clip(
    raw: RawClip, size: int, augment: AugmentConfig | None, rng: np.random.Generator
) -> ClipSample:
    """The second half of `load_clip`, for pixels from anywhere."""
    # Everything after this costs by the pixel, so it is done at the size that the model sees.
    clip, (images, masks) = raw.clip, fit(raw.images, raw.masks, size)
    annotated, infos = raw.annotated, raw.infos
    if augment is not None and augment.repaint.share and rng.random() < augment.repaint.share:
        images = repaint(images, masks, augment.repaint, rng)
    doubled = None
    if augment is not None and augment.double.share and rng.random() < augment.double.share:
        doubled = add_double(images, masks, clip.times, augment.double, rng)
    if doubled is not None:
        images, masks, number = doubled
        clip = replace(clip, objects=(*clip.objects, max(clip.objects) + 1))
        annotated = torch.cat([annotated, torch.ones_like(annotated[:, :1])], dim=1)
        infos = [*infos, infos[number]]
    change = identity(len(clip.frames)) if augment is None else draw(augment, len(clip.frames), rng)
    pictures, planes = apply(change, images, masks, size)
    kept = planes[0].flatten(1).any(dim=1)
    if not kept.any():
        pictures, planes = apply(identity(len(clip.frames)), images, masks, size)
        kept = planes[0].flatten(1).any(dim=1)
    objects = tuple(o for o, keep in zip(clip.objects, kept.tolist(), strict=True) if keep)
    chosen = [info for info, keep in zip(infos, kept.tolist(), strict=True) if keep]
    classes = tuple(info.class_name if info.kind == "instrument" else None for info in chosen)
    rivals = None
    if doubled is not None:
        rivals = torch.zeros_like(planes)
        # The double is the last object: it and what it doubles are each other's rival.
        rivals[:, number], rivals[:, -1] = planes[:, -1], planes[:, number]
        rivals = rivals[:, kept]
    return ClipSample(
        replace(clip, objects=objects),
        pictures,
        planes[:, kept],
        annotated[:, kept],
        classes,
        rivals,
    )


def _read_masks(
    video: LabelledVideo, clip: Clip, size: tuple[int, int]
) -> tuple[np.ndarray, Tensor]:
    masks = np.zeros((len(clip.frames), len(clip.objects), *size), bool)
    annotated = torch.zeros(masks.shape[:2], dtype=torch.bool)
    for step, frame in enumerate(clip.frames):
        for row, object_id in enumerate(clip.objects):
            mask = video.mask(object_id, frame)
            if mask is not None:
                masks[step, row] = mask
                annotated[step, row] = True
    return masks, annotated


def collate(samples: Sequence[ClipSample]) -> ClipBatch:
    """Stack clips of equal length and size; rows follow the clips' order. Clips without an object
    add no row."""
    counts = torch.tensor([len(sample.clip.objects) for sample in samples])
    batch = ClipBatch(
        clips=tuple(sample.clip for sample in samples),
        images=torch.stack([sample.images for sample in samples]),
        masks=torch.cat([sample.masks for sample in samples], dim=1),
        annotated=torch.cat([sample.annotated for sample in samples], dim=1),
        clip_of_row=torch.repeat_interleave(torch.arange(len(samples)), counts),
        times=tuple(sample.clip.times for sample in samples),
        classes=tuple(name for sample in samples for name in sample.classes),
        rivals=_join_rivals(samples),
    )
    batch.known  # noqa: B018  computed here, where loading processes are
    return batch


def _join_rivals(samples: Sequence[ClipSample]) -> Tensor | None:
    if all(sample.rivals is None for sample in samples):
        return None
    every = [torch.zeros_like(s.masks) if s.rivals is None else s.rivals for s in samples]
    return torch.cat(every, dim=1)
