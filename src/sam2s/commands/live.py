"""``sam2s live``: a camera in, masks out, as long as it runs."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from io import TextIOWrapper
from typing import Any

from sam2s.commands.live_options import Live
from sam2s.commands.prompts import parse_prompts
from sam2s.commands.terminal import say
from sam2s.devices import describe
from sam2s.errors import InputError
from sam2s.files import check_file, check_folder, write_json
from sam2s.live.feed import LiveFeed, opener
from sam2s.live.inbox import ActionInbox, follow_lines
from sam2s.live.live_loop import LiveLoop, LiveSummary
from sam2s.live.live_recorder import OVERLAY, RAW, TRACKS, LiveRecorder
from sam2s.live.out_of_body import BodyWatch
from sam2s.live.raw_frames import RawFormat
from sam2s.live.sink import Sink
from sam2s.memory.all_rules import describe_rule
from sam2s.tracking.session.actions import Give
from sam2s.tracking.tracker import Tracker
from sam2s.weights.load import load_model, weights_hash

_tell = partial(say, error=True)
"""To the terminal, but not among the JSON lines of the standard output."""


def run(options: Live) -> int:
    """Check, open everything, track until the end, and say how long it all took."""
    _check(options)
    inbox = ActionInbox()
    if options.click or options.box or options.mask:
        for object_id, prompts in parse_prompts(options.click, options.box, options.mask).items():
            for prompt in prompts:
                inbox.add(Give(object_id, 0, prompt))
    raw = None if options.raw is None else RawFormat.parse(options.raw)
    with ExitStack() as opened:
        open_one, returns = opener(options.source, raw, options.pace)
        feed = LiveFeed(open_one, options.reconnect if returns else 0.0, _tell)
        opened.callback(feed.close)
        inbox.on_stop = feed.close
        model = load_model(options.model, device=options.device, image_size=options.image_size)
        memory = None if options.memory == "auto" else options.memory
        tracker = Tracker(
            model,
            memory,
            precision=options.precision,
            exclusive=options.exclusive,
            compiled=options.compile,
        )
        sinks = _sinks(options, feed, inbox, tracker)
        if options.stdin:
            if isinstance(sys.stdin, TextIOWrapper):
                sys.stdin.reconfigure(errors="replace")  # bytes that are no text are no action
            follow_lines(sys.stdin, inbox, _tell)
        _tell(f"{feed.name}: tracking on {describe(tracker.device, bf16=tracker.bf16)}")
        watch = BodyWatch() if options.blank_out_of_body else None
        loop = LiveLoop(tracker, feed, inbox, watch=watch, limit=options.limit, say=_tell)
        try:
            loop.run(sinks)
        finally:
            _finish(options, loop.summary())
    broken = [one.error for one in loop.summary().sinks.values() if one.error is not None]
    if broken:
        raise InputError("; ".join(broken))
    return 0


def _check(options: Live) -> None:
    """Whatever is wrong with the options alone."""
    if options.stdin and options.source == "-":
        raise InputError("--stdin: the standard input is the source already; use --page, or a pipe")
    if options.raw is not None and options.source != "-" and "://" in options.source:
        raise InputError("--raw: is for a pipe (- or pipe:NAME), an address is decoded")
    if not 0 < options.pace < 1000:
        raise InputError(f"--pace {options.pace}: expected a number above 0")
    if not options.reconnect >= 0:
        raise InputError(f"--reconnect {options.reconnect}: expected 0 or more seconds")
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit {options.limit}: expected 1 or more frames")
    if options.port and not options.page:
        raise InputError("--port: is the page's; give --page as well")
    ways = (options.page, options.window, options.jsonl, options.stream, options.record)
    if not any(ways):
        raise InputError(
            "live: nothing would be seen of it; give --page, --window, --jsonl FILE, --stream"
            " ADDRESS or --record DIR"
        )
    given = options.click or options.box or options.mask
    if not (given or options.page or options.window or options.stdin):
        raise InputError(
            "live: nothing to track; give --click ID:X,Y, or --page, --window or --stdin to say so"
            " while it runs"
        )
    check_file(options.report)


def _sinks(options: Live, feed: LiveFeed, inbox: ActionInbox, tracker: Tracker) -> list[Sink]:
    """Everything that pictures go to. Raises InputError where one cannot be had."""
    sinks: list[Sink] = []
    if options.record is not None:
        sinks.append(_recorder(options, feed, tracker))
    if options.jsonl is not None:
        sinks.append(_json_lines(options.jsonl))
    if options.stream:
        from sam2s.live.stream_output import StreamOutput

        sinks += [StreamOutput(target, feed.fps) for target in options.stream]
    if options.window:
        from sam2s.live.window import Window

        sinks.append(Window(inbox))
    if options.page:
        from sam2s.live.page_server import PageServer

        page = PageServer(inbox, options.port)
        _tell(f"page: {page.address}", f"for players: {page.stream}")
        sinks.append(page)
    return sinks


def _json_lines(target: str) -> Sink:
    from sam2s.live.json_lines import JsonLines

    if target == "-":
        return JsonLines(sys.stdout, "jsonl", owned=False)
    try:
        file = open(target, "w", encoding="utf-8")  # noqa: SIM115 (closed by the sink)
    except OSError as error:
        raise InputError(f"--jsonl {target}: cannot be written ({error.strerror})") from error
    return JsonLines(file, "jsonl", owned=True)


def _recorder(options: Live, feed: LiveFeed, tracker: Tracker) -> LiveRecorder:
    folder = options.record
    assert folder is not None
    check_folder(folder)
    taken = [name for name in (RAW, OVERLAY, TRACKS) if (folder / name).exists()]
    if taken:
        raise InputError(f"--record {folder}: holds a {taken[0]} already; name a new folder")
    about: dict[str, Any] = {
        "model": options.model.rsplit("/", 1)[-1],
        "sha256": weights_hash(tracker.model),
        "memory": describe_rule(tracker.policy),
        "live": True,
    }
    return LiveRecorder(folder, feed.name, feed.fps, about)


def _finish(options: Live, summary: LiveSummary) -> None:
    """Say and write what was done, after an error or an interrupt as well."""
    rate = summary.frames / summary.seconds if summary.seconds else 0.0
    blanked = f", {summary.blanked} blanked" if options.blank_out_of_body else ""
    again = f", reconnected {summary.reconnected} times" if summary.reconnected else ""
    _tell(
        f"{summary.frames} frames ({rate:.1f} frames/s), {summary.dropped} dropped{blanked}{again}",
        f"capture to mask: {summary.to_mask}",
        *(f"capture to screen, {name}: {one}" for name, one in summary.to_screen.items()),
    )
    for name, count in summary.sinks.items():
        if count.dropped:
            _tell(f"{name}: {count.shown} pictures, {count.dropped} skipped while it was busy")
    if options.record is not None:
        _tell(f"recording: {options.record}")
    if options.report is not None:
        write_json(options.report, asdict(summary))
