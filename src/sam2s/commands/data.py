"""``sam2s data``: convert public sources to the masklet layout, count what is there, look for label
noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2s.commands.data_options import Check, Convert, Data, Sources, StatsOptions
from sam2s.commands.terminal import say, say_text
from sam2s.errors import InputError
from sam2s.files import check_file, write_json

if TYPE_CHECKING:
    from sam2s.convert.convert import ConvertReport


def run(options: Data) -> int:
    """Hand over to the action asked for."""
    actions: dict[type, Callable[[Any], int]] = {
        Convert: _convert,
        Sources: _sources,
        StatsOptions: _stats,
        Check: _check,
    }
    return actions[type(options.action)](options.action)


def _convert(options: Convert) -> int:
    from sam2s.convert.convert import ConvertSettings, convert
    from sam2s.convert.from_format import READABLE
    from sam2s.convert.sources import is_source

    # A name of both ("davis") is the data set, unless pictures are given for masks alone.
    if options.name in READABLE and (options.pictures or not is_source(options.name)):
        return _convert_format(options)
    if options.pictures is not None:
        raise InputError(
            f"--pictures: not for '{options.name}', only for formats: {', '.join(READABLE)}"
        )
    settings = ConvertSettings(
        options=dict(_key_value(text) for text in options.option),
        strict=options.strict,
        skip_bad=options.skip_bad,
        workers=options.workers,
    )
    report = convert(
        options.name,
        options.input,
        options.out,
        frames=options.frames,
        progress=True,
        settings=settings,
    )
    _report(report, options.out)
    return 0


def _convert_format(options: Convert) -> int:
    from sam2s.convert.from_format import convert_from

    if options.option or options.strict or options.skip_bad or options.workers != 1:
        raise InputError(
            f"{options.name}: --option, --strict, --skip-bad and --workers are for public sources;"
            " leave them out"
        )
    report = convert_from(
        options.name, options.input, options.out, options.frames, options.pictures
    )
    _report(report, options.out)
    return 0


def _report(report: ConvertReport, out: Path) -> None:
    kept = f", {report.kept} were there already" if report.kept else ""
    say(
        f"{report.videos} videos, {report.frames} frames, {report.objects} masklets, {report.masks}"
        f" masks{kept}: {out}"
    )
    for note, count in report.notes.most_common():
        say(f"  {count} x {note}")
    for video, why in report.failed.items():
        say(f"  left out {video}: {why}", error=True)


def _key_value(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found or not key:
        raise InputError(f"--option {text}: expected KEY=VALUE, such as gap=5")
    return key, value


def _sources(_options: Sources) -> int:
    from sam2s.convert.sources.table import sources_text

    say_text(sources_text())
    return 0


def _stats(options: StatsOptions) -> int:
    from sam2s.curation.stats import stats
    from sam2s.curation.stats_report import check_plot, stats_table, write_stats_plot

    check_file(options.json)
    check_plot(options.plot)
    against = None if options.against == "none" else options.against
    found = stats(options.data, against=against, progress=True)
    say_text(stats_table(found))
    if options.json is not None:
        write_json(options.json, found.to_json())
    if options.plot is not None:
        write_stats_plot(found, options.plot)
    return 0


def _check(options: Check) -> int:
    from sam2s.curation.check import check, check_table, write_check_sheet

    for path in (options.json, options.sheet):
        check_file(path)
    report = check(options.data, leaks=options.leaks, progress=True)
    say_text(check_table(report, options.limit))
    if options.json is not None:
        write_json(options.json, report.to_json())
    if options.sheet is not None:
        write_check_sheet(options.data, report, options.sheet)
    return 0
