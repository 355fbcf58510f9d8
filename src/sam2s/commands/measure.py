"""``sam2s measure``: numbers, tables and a report from what ``sam2s track`` found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sam2s.commands.measure_options import Measure
from sam2s.commands.terminal import say
from sam2s.errors import InputError
from sam2s.export.results import open_result
from sam2s.export.tracks import read_head
from sam2s.export.writer import TRACKS
from sam2s.extras import require_plots
from sam2s.files import check_folder
from sam2s.formats.result import Result
from sam2s.measures.camera_motion import CameraMotion, camera_motion
from sam2s.measures.measure_tables import caveats, write_measures
from sam2s.measures.path_segments import MeasureSettings
from sam2s.measures.video_measures import Measured, ObjectMeasures, measure_result
from sam2s.media.frames import open_frames


def run(options: Measure) -> int:
    """Measure every result, print a table, and write the report."""
    settings = MeasureSettings(options.smooth, options.speed, options.debounce)
    if not options.results:
        raise InputError("measure: give at least one folder that sam2s track wrote")
    if options.fps is not None and not 0 < options.fps < 1e6:
        raise InputError(f"--fps {options.fps}: must be above 0")
    if options.report is not None:
        require_plots()
        check_folder(options.report)
    results = _told_apart([open_result(path) for path in options.results], options.results)
    measured = []
    for result, path in zip(results, options.results, strict=True):
        camera = None if options.camera is None else _camera(options, result, path)
        measured.append(measure_result(result, settings, fps=options.fps, camera=camera))
    for one in measured:
        _say_measures(one)
    for caveat in caveats([one.measures for one in measured]):
        say(f"note: {caveat}")
    if options.report is not None:
        _write(measured, options.report)
    return 0


def _write(measured: Sequence[Measured], folder: Path) -> None:
    from sam2s.measures.measure_report import write_report

    paths = write_measures(measured, folder)
    page = folder / "report.html"
    write_report(measured, page)
    say(f"report: {page}")
    say(f"tables: {', '.join(path.name for path in paths)} in {folder}")


def _told_apart(results: Sequence[Result], paths: Sequence[Path]) -> list[Result]:
    """Videos of one name are called by their result as well."""
    count = Counter(result.video for result in results)
    return [
        result
        if count[result.video] == 1
        else replace(
            result, video=f"{result.video} ({path if path.name != TRACKS else path.parent})"
        )
        for result, path in zip(results, paths, strict=True)
    ]


def _camera(options: Measure, result: Result, path: Path) -> CameraMotion:
    """The camera's motion from the video that was tracked."""
    assert options.camera is not None
    head = read_head(path / TRACKS if path.is_dir() else path)
    inside = options.camera / Path(str(head["source"]["name"])).name
    place = inside if inside.exists() else options.camera
    if place == options.camera and len(options.results) > 1:
        raise InputError(
            f"--camera {options.camera}: has no {inside.name}; for several results give the folder"
            " that holds their videos"
        )
    with open_frames(place) as source:
        return camera_motion(source, result)


def _say_measures(measured: Measured) -> None:
    measures = measured.measures
    say(f"{measures.video}: {measures.seconds:.1f} s tracked")
    rows = [HEAD, *(_row(one) for one in measures.objects)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        say("  " + "  ".join(cells))
    for pair in measures.pairs:
        alike = pair.speed_correlation
        told = "" if alike is None else f", speeds correlate {alike:+.2f}"
        say(
            f"  {pair.first} and {pair.second}: together {pair.together:.1f} s"
            f" ({100 * pair.share:.0f} %){told}"
        )
    for note in measures.notes:
        say(f"  note: {note}")


HEAD = (
    *("object", "in view", "entries", "exits", "path", "speed", "idle", "actions", "SPARC"),
    "ln jerk",
)


def _row(one: ObjectMeasures) -> tuple[str, ...]:
    motion = one.tip or one.centroid
    seen = one.presence
    name = f"{one.object_id} {one.name}" if one.name != f"object {one.object_id}" else one.name
    head = (
        f"{name} ({'tip' if one.tip else 'centroid'})",
        f"{seen.in_view:.1f} s",
        str(seen.entries),
        str(seen.exits),
    )
    if motion is None:
        return *head, *["-"] * 6
    smooth = motion.smoothness
    return (
        *head,
        f"{motion.path.px:.0f} px",
        f"{motion.speed_mean.px:.0f} px/s",
        f"{100 * motion.idle_share:.0f} %",
        str(len(motion.actions)),
        "-" if smooth is None else f"{smooth.sparc:.2f}",
        "-" if smooth is None else f"{smooth.log_dimensionless_jerk:.2f}",
    )
