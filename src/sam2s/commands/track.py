"""``sam2s track``: follow prompted objects through a source and write what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from sam2s.arrays import doubt_whole
from sam2s.commands.jobs import END, Job, new_job, updated_job
from sam2s.commands.options import Track
from sam2s.commands.prompts import Typed, parse_actions, parse_stretch
from sam2s.commands.terminal import say
from sam2s.devices import describe, halved_threads
from sam2s.errors import DamagedSource, InputError, OutOfMemory
from sam2s.export.writer import Output, ResultWriter
from sam2s.media.frames import FrameSource, open_frames
from sam2s.media.random_access import RandomAccess
from sam2s.memory.all_rules import describe_rule
from sam2s.model.sam2s import SAM2S
from sam2s.progress import progress_bar
from sam2s.tracking.session.action_file import read_actions, rows_of
from sam2s.tracking.session.history import History
from sam2s.tracking.session.in_order import MakeTracker, results_in_order
from sam2s.tracking.session.ranges import Stretch
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, FrameResult
from sam2s.weights.load import load_model, weights_hash


@dataclass(frozen=True, slots=True)
class Outcome:
    """``frames`` tracked and written in ``seconds``, decoding and writing included; ``where``: on
    which device, in which precision; ``objects``: how many there were."""

    frames: int
    seconds: float
    where: str
    objects: int

    @property
    def fps(self) -> float:
        """Frames per second, decoding and writing included."""
        return self.frames / self.seconds if self.seconds else 0.0


LoadModel = Callable[[Track], SAM2S]
"""Gives the model that the options name."""


def run(options: Track) -> int:
    """Check what is cheap to check, load the model, track, say where the results are."""
    track(options)
    return 0


def load(options: Track) -> SAM2S:
    """A `LoadModel` that reads the weights each time."""
    return load_model(
        options.model,
        device=options.device,
        image_size=options.image_size,
        weights_map=options.weights_map,
    )


def track(options: Track, load_one: LoadModel = load) -> Outcome:
    """Do what ``sam2s track`` is asked, with a model that ``load_one`` gives; raises as the command
    fails."""
    if options.frame < 0:
        raise InputError(f"--frame {options.frame}: frames are counted from 0")
    with open_frames(options.source, stream=options.stream, playlist=options.playlist) as source:
        for note in source.notes:
            say(f"note: {note}")
        access = RandomAccess(source)
        job = _job(options, access)
        model = load_one(options)
        memory = None if options.memory == "auto" else options.memory
        # A palette holds one id per pixel: better the more certain object than the larger id.
        exclusive = options.exclusive or options.format == "davis"

        def tracker(reverse: bool) -> Tracker:
            return Tracker(
                model,
                memory,
                precision=options.precision,
                reverse=reverse,
                exclusive=exclusive,
                compiled=options.compile,
            )

        output = Output(
            options.out, options.format, options.overlay, keep_earlier=not options.replace
        )
        # A file's next frame is read and encoded while one is tracked; a stream's is not there yet.
        on_cpu = next(model.parameters()).device.type == "cpu"
        cores = halved_threads() if on_cpu and source.path is not None else nullcontext()
        with cores:
            return track_source(access, tracker, job, output, about(options, tracker(False), job))


def _job(options: Track, access: RandomAccess) -> Job:
    """What was asked for, as a plan; InputError for what cannot be done, before a model is read."""
    typed = Typed(options.click, options.box, options.mask, options.absent, options.frame)
    actions = parse_actions(typed, access.at)
    if options.prompts is not None:
        actions = [*read_actions(options.prompts, access.at), *actions]
    if options.update is not None:
        job = updated_job(options.update, actions, options.direction)
        assert access.times, "indexed: single frames far into the video will be asked for"
    else:
        job = new_job(actions, _frames(options, access), options.direction)
    _check_frames(access.source, job.known.history)
    return job


def _frames(options: Track, access: RandomAccess) -> Stretch:
    """The frames that were asked for; all of them by default."""
    if options.frames is not None and options.time is not None:
        raise InputError("--frames and --time: give one of them")
    if options.frames is not None:
        return parse_stretch("--frames", _open_end(options.frames), ":", access.at)
    if options.time is not None:
        first, _, last = options.time.partition("-")
        return parse_stretch("--time", f"{first}s-{last}s", "-", access.at)
    return Stretch(0, END)


def _open_end(text: str) -> str:
    """``FROM:`` and ``:TO`` name a range as well."""
    first, _, last = text.partition(":")
    return f"{first or 0}:{last or END}"


def track_source(
    access: RandomAccess,
    make_tracker: MakeTracker,
    job: Job,
    output: Output,
    about: Mapping[str, Any],
) -> Outcome:
    """Carry out ``job`` on a source, write to ``output``, print a summary; ``about`` goes into
    tracks.json.

    Where the source breaks or the user interrupts, what was found so far is written, summed up, and
    the error raised.
    """
    tracker = make_tracker(False)
    where = describe(tracker.device, bf16=tracker.bf16)
    begun = time.perf_counter()
    with progress_bar(job.steps(access.source.count), "track") as bar:
        results = results_in_order(
            job.passes, job.known, access, make_tracker, job.frames, bar.update
        )
        results = _after_first(results, access.source, job)
        writer = ResultWriter(output, access.source, about)
        try:
            with writer:
                for frame, result in results:
                    writer.write(frame, result)
                    bar.update()
                    _doubt_masks(job, frame.index)
        except (DamagedSource, OutOfMemory, KeyboardInterrupt):
            outcome = Outcome(writer.frames, time.perf_counter() - begun, where, job.objects)
            _report(writer, output, outcome)
            raise
    outcome = Outcome(writer.frames, time.perf_counter() - begun, where, job.objects)
    _report(writer, output, outcome)
    return outcome


def _doubt_masks(job: Job, frame: int) -> None:
    """After the tracker took them: nothing is to be said of prompts that are refused."""
    for object_id, mine in job.known.history.notes.objects.items():
        given = mine.given.get(frame)
        if given is not None and given.mask is not None:
            doubt_whole(given.mask.mask, f"object {object_id}")


def _after_first(
    results: Iterator[tuple[Frame, FrameResult]], source: FrameSource, job: Job
) -> Iterator[tuple[Frame, FrameResult]]:
    """The same results; InputError where the source ends before the first of them, and nothing has
    been written yet."""
    first = next(results, None)
    if first is None:
        # Having been read to its end, a video knows its number of frames.
        about = "" if source.count is None else f" (it has {source.count} frames)"
        start = min(one.frames.first for one in job.passes)
        raise InputError(
            f"--frame {start}: {source.name} ends before that frame{about}; frames are counted"
            " from 0"
        )
    return chain([first], results)


def _check_frames(source: FrameSource, history: History) -> None:
    """Refuse prompts beyond the end before the model is loaded, where the number of frames is
    known."""
    last = max((f for mine in history.notes.objects.values() for f in mine.given), default=0)
    if source.count is not None and source.count_exact and last >= source.count:
        raise InputError(
            f"--frame {last}: {source.name} has {source.count} frames; give a number from 0 to"
            f" {source.count - 1}"
        )


def about(options: Track, tracker: Tracker, job: Job) -> dict[str, Any]:
    """What tracks.json says of the run; ``actions`` are what ``--update`` goes on from. Files are
    named without their folders, which are nobody else's business."""
    given = Path(options.model)
    return {
        "model": given.name if given.exists() else options.model,
        "sha256": weights_hash(tracker.model),
        "memory": describe_rule(tracker.policy),
        "image_size": tracker.model.image_size,
        "precision": options.precision,
        "exclusive": tracker.exclusive,
        "frame": options.frame,
        "clicks": list(options.click),
        "boxes": list(options.box),
        "masks": [text.partition(":")[0] for text in options.mask],
        "direction": options.direction,
        "actions": [row for action in job.known.history.actions for row in rows_of(action)],
    }


def _report(writer: ResultWriter, output: Output, outcome: Outcome) -> None:
    objects = outcome.objects
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
