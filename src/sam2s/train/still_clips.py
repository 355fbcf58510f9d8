"""Training clips made of the stills of a pool, with objects of other pictures of the pool pasted
over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from sam2s.clips.batch import ClipSample, RawClip, finish_clip
from sam2s.clips.clips import Clip, ClipSampler, VideoIndex
from sam2s.clips.stills.animate import Still, StillClip, StillConfig, animate, draw_pieces
from sam2s.masklets.kept import LabelledVideo
from sam2s.train.config import Stage
from sam2s.train.video_pool import VideoPool

DONOR_TRIES = 8
"""Videos asked for a cut-out before the clip does without."""


def draw_still_clip(
    pool: VideoPool, stage: Stage, sampler: ClipSampler, rng: np.random.Generator
) -> ClipSample | None:
    """A clip of a still drawn from ``pool``, with frames and clock as ``sampler`` draws them from a
    video; None when the still, or the first frame made of it, shows no object of the size that the
    sampler asks for."""
    number = int(rng.choice(len(pool.videos), p=pool.still_chances))
    video, index = pool.videos[number], pool.indices[number]
    frames = np.flatnonzero((index.areas >= max(1, sampler.min_area * index.pixels)).any(axis=0))
    if len(frames) == 0:
        return None
    frame = int(rng.choice(frames))
    still, ids = _read(video, frame)
    clip = _draw_times(still.name, sampler, stage.clips.still, rng)
    donors = _donors(pool, stage.clips.still, rng)
    backdrop = _another(pool, rng) if rng.random() < stage.clips.still.folds else None
    grounds = _grounds(pool, still.image, stage.clips.still, rng)
    pieces = draw_pieces(donors, grounds, backdrop, stage.clips.size, rng)
    made = animate(still, pieces, clip.frames, stage.clips.size, stage.clips.still, rng)
    chosen = _choose(made, sampler, rng)
    if len(chosen) == 0:
        return None
    names = [*ids, *range(max(ids) + 1, max(ids) + 1 + len(made.infos) - len(ids))]
    clip = replace(clip, objects=tuple(names[k] for k in chosen))
    known = torch.ones(len(clip.frames), len(chosen), dtype=torch.bool)
    infos = [made.infos[k] for k in chosen]
    raw = RawClip(clip, made.images, made.masks[:, chosen], known, infos)
    return finish_clip(raw, stage.clips.size, stage.clips.augment, rng)


def _read(video: LabelledVideo, frame: int) -> tuple[Still, list[int]]:
    """Frame ``frame`` with the objects in view on it, and their ids."""
    masks = {object_id: video.mask(object_id, frame) for object_id in sorted(video.info.objects)}
    seen = {object_id: mask for object_id, mask in masks.items() if mask is not None and mask.any()}
    infos = tuple(video.info.objects[object_id] for object_id in seen)
    name = f"{video.name}/{video.frame_names[frame]} (still)"
    return Still(name, video.image(frame), np.stack(list(seen.values())), infos), list(seen)


def _draw_times(
    name: str, sampler: ClipSampler, config: StillConfig, rng: np.random.Generator
) -> Clip:
    """Frame numbers and clock positions out of an imagined video in which the object is always in
    view."""
    length = max(config.length, sampler.frames)
    clip = sampler.sample(VideoIndex(name, (1,), np.ones((1, length), np.int64), pixels=1), rng)
    assert clip is not None, "a video that is long enough and always shows its object gives a clip"
    return clip


def _donors(pool: VideoPool, config: StillConfig, rng: np.random.Generator) -> list[Still]:
    """Labelled pictures, each with the one object to cut out of it."""
    count = int(rng.integers(config.pasted[0], config.pasted[1] + 1))
    found = [_donor(pool, config, rng) for _ in range(count)]
    return [donor for donor in found if donor is not None]


def _donor(pool: VideoPool, config: StillConfig, rng: np.random.Generator) -> Still | None:
    instrument = rng.random() < config.instruments
    for _ in range(DONOR_TRIES):
        number = int(rng.choice(len(pool.videos), p=pool.chances))
        video, index = pool.videos[number], pool.indices[number]
        low, high = np.array(config.areas) * index.pixels
        right = np.array(
            [
                (video.info.objects[object_id].kind == "instrument") == instrument
                for object_id in index.object_ids
            ],
            bool,
        )
        rows, frames = np.nonzero(
            (index.areas >= max(1, low)) & (index.areas <= high) & right[:, None]
        )
        if len(rows):
            chosen = int(rng.integers(len(rows)))
            object_id, frame = index.object_ids[rows[chosen]], int(frames[chosen])
            mask = video.mask(object_id, frame)
            assert mask is not None, "the index says that the object is in view"
            return Still(
                video.name, video.image(frame), mask[None], (video.info.objects[object_id],)
            )
    return None


def _grounds(
    pool: VideoPool, own: np.ndarray, config: StillConfig, rng: np.random.Generator
) -> list[np.ndarray]:
    """What growths are made of: the still itself, or other stills."""
    least, most = config.growths
    count = int(rng.integers(least, most + 1)) if most else 0
    return [own if rng.random() < config.own else _another(pool, rng) for _ in range(count)]


def _another(pool: VideoPool, rng: np.random.Generator) -> np.ndarray:
    """The picture (H, W, 3) of any still."""
    video = pool.videos[int(rng.choice(len(pool.videos), p=pool.still_chances))]
    return video.image(int(rng.integers(len(video))))


def _choose(made: StillClip, sampler: ClipSampler, rng: np.random.Generator) -> np.ndarray:
    """Which objects are tracked, ascending: those well in view on the first frame, the one that is
    to leave for sure, of the others as many as the sampler takes."""
    areas = made.masks[0].sum(axis=(1, 2))
    seen = rng.permutation(
        np.flatnonzero(areas >= max(1, sampler.min_area * made.masks[0, 0].size))
    )
    if made.leaving is not None:
        seen = np.array(sorted(seen, key=lambda k: k != made.leaving), int)
    return np.sort(seen[: sampler.max_objects])
