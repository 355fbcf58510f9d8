"""``sam2s track``: follow prompted objects through a source and write what was found."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from sam2s.arrays import doubt_whole
from sam2s.commands.options import Track
from sam2s.commands.progress import progress_bar
from sam2s.commands.prompts import parse_prompts
from sam2s.commands.terminal import say
from sam2s.devices import describe
from sam2s.errors import DamagedSource, InputError, OutOfMemory
from sam2s.export.writer import Output, ResultWriter
from sam2s.media.frames import FrameSource, open_frames
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, Mask, Prompt
from sam2s.weights.load import load_model, weights_hash


@dataclass(frozen=True, slots=True)
class Job:
    """Objects to track: ``prompts`` {object id: what was given} on frame ``start`` of the
    source."""

    prompts: Mapping[int, Sequence[Prompt]]
    start: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """``frames`` tracked and written in ``seconds``, decoding and writing included; ``where``: on
    which device, in which precision."""

    frames: int
    seconds: float
    where: str

    @property
    def fps(self) -> float:
        return self.frames / self.seconds if self.seconds else 0.0


def run(options: Track) -> int:
    """Check what is cheap to check, load the model, track, say where the results are."""
    prompts = parse_prompts(options.click, options.box, options.mask)
    if options.frame < 0:
        raise InputError(f"--frame {options.frame}: frames are counted from 0")
    with open_frames(options.source, stream=options.stream, playlist=options.playlist) as source:
        _check_start(source, options.frame)
        for note in source.notes:
            say(f"note: {note}")
        model = load_model(options.model, device=options.device, image_size=options.image_size)
        memory = None if options.memory == "auto" else options.memory
        # A palette holds one id a pixel: better the more certain object than the larger id.
        exclusive = options.exclusive or options.format == "davis"
        tracker = Tracker(model, memory, precision=options.precision, exclusive=exclusive)
        output = Output(
            options.out, options.format, options.overlay, keep_earlier=not options.replace
        )
        track_source(source, tracker, Job(prompts, options.frame), output, about(options, tracker))
    return 0


def track_source(
    source: FrameSource, tracker: Tracker, job: Job, output: Output, about: Mapping[str, Any]
) -> Outcome:
    """Track ``job`` to the end of ``source``, write to ``output``, print a summary; ``about`` goes
    into tracks.json.

    Where the source breaks or the user interrupts, what was found so far is written, summed up, and
    the error raised.
    """
    where = describe(tracker.device, bf16=tracker.bf16)
    begun = time.perf_counter()
    frames = _frames_from(source, job.start)
    writer = ResultWriter(output, source, about)
    try:
        with writer, progress_bar(_remaining(source, job.start), "track") as bar:
            for frame in frames:
                result = tracker.step(frame, job.prompts if frame.index == job.start else None)
                if frame.index == job.start:
                    _doubt_masks(job)
                writer.write(frame, result)
                bar.update()
    except (DamagedSource, OutOfMemory, KeyboardInterrupt):
        outcome = Outcome(writer.frames, time.perf_counter() - begun, where)
        _report(writer, output, outcome, len(job.prompts))
        raise
    outcome = Outcome(writer.frames, time.perf_counter() - begun, where)
    _report(writer, output, outcome, len(job.prompts))
    return outcome


def _doubt_masks(job: Job) -> None:
    """After the tracker took them: nothing is to be said of prompts that are refused."""
    for object_id, given in job.prompts.items():
        for prompt in given:
            if isinstance(prompt, Mask):
                doubt_whole(prompt.mask, f"object {object_id}")


def _frames_from(source: FrameSource, start: int) -> Iterator[Frame]:
    """The frames from ``start`` on; InputError where the source ends before it, and nothing has
    been written yet."""
    frames = source.frames(start)
    first = next(frames, None)
    if first is None:
        # Having been read to its end, a video knows its number of frames.
        about = "" if source.count is None else f" (it has {source.count} frames)"
        raise InputError(
            f"--frame {start}: {source.name} ends before that frame{about}; frames are counted"
            " from 0"
        )
    return chain([first], frames)


def _check_start(source: FrameSource, start: int) -> None:
    """Refuse a frame beyond the end before the model is loaded, where the number of frames is
    known."""
    if source.count is not None and source.count_exact and start >= source.count:
        raise InputError(
            f"--frame {start}: {source.name} has {source.count} frames; give a number from 0 to"
            f" {source.count - 1}"
        )


def _remaining(source: FrameSource, start: int) -> int | None:
    return None if source.count is None else max(source.count - start, 1)


def about(options: Track, tracker: Tracker) -> dict[str, Any]:
    """What tracks.json says of the run. Files are named without their folders, which are nobody
    else's business."""
    given = Path(options.model)
    memory = tracker.model.config.memory
    return {
        "model": given.name if given.exists() else options.model,
        "sha256": weights_hash(tracker.model),
        "memory": asdict(memory) | ({} if options.memory == "auto" else {"rule": options.memory}),
        "image_size": tracker.model.image_size,
        "precision": options.precision,
        "exclusive": tracker.exclusive,
        "frame": options.frame,
        "clicks": list(options.click),
        "boxes": list(options.box),
        "masks": [text.partition(":")[0] for text in options.mask],
    }


def _report(writer: ResultWriter, output: Output, outcome: Outcome, objects: int) -> None:
    if outcome.frames == 0:
        return
    say(
        f"{outcome.frames} frames, {objects} object{'s' * (objects > 1)}, {outcome.fps:.1f}"
        f" frames/s on {outcome.where}"
    )
    say(f"masks: {writer.masks_folder}")
    say(f"tracks: {writer.tracks_file}")
    if output.overlay is not None:
        say(f"overlay: {output.overlay}")
    for note in writer.notes:
        say(f"note: {note}")
