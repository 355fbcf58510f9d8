"""``sam2s export``: a result in another tool's format, verified before it gets its name."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict

from sam2s.commands.options import Export
from sam2s.commands.terminal import say
from sam2s.errors import InputError
from sam2s.export.results import open_results
from sam2s.files import check_file, not_written, write_json
from sam2s.formats.fitting import NeutralNames, read_names
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions, Result
from sam2s.formats.verified import ExportPlan, plan_export, write_verified


def run(options: Export) -> int:
    """Say what will be lost, write, read back, compare, and only then give the folder its name."""
    if options.to == "onnx":
        return _export_model(options)
    chosen = FORMATS[options.to]
    written = ExportOptions(
        polygons=options.polygons,
        compressed=not options.uncompressed,
        pictures=options.pictures,
        anonymise=options.anonymise,
    )
    chosen.check(options.to, written)
    _check_places(options)
    results = _chosen(options)
    names = NeutralNames() if options.mapping is None else read_names(options.mapping)
    if options.anonymise:
        for result in results:
            names = names.with_result(result)
        results = [names.hide(result) for result in results]
    plans = [_plan(result, written, options) for result in results]
    say(f"{options.to} holds: {chosen.keeps}")
    hidden = options.out.with_name(f".{options.out.name[:40]}.{os.getpid()}.part")
    try:
        for plan in plans:
            folder = hidden if len(plans) == 1 else hidden / plan.result.video
            folder.mkdir(parents=True)
            write_verified(plan, folder, options.out)
        if options.mapping is not None:
            write_json(options.mapping, asdict(names))
        os.replace(hidden, options.out)
    except OSError as error:
        raise not_written(options.out, error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    _tell(options, plans)
    return 0


def _export_model(options: Export) -> int:
    from sam2s.onnx_export.graph_files import export_onnx
    from sam2s.weights.load import load_model

    agreement = export_onnx(load_model(str(options.result), device="cpu"), options.out)
    say(
        f"{options.result} as ONNX: {options.out}; over {agreement.frames} frames with clicks and a"
        f" correction it differs from torch by {agreement.share:.1e} of the largest logit at most"
    )
    say(f"python {options.out / 'track.py'} VIDEO X Y tracks with it, without torch")
    return 0


def _check_places(options: Export) -> None:
    if options.out.exists():
        raise InputError(f"{options.out}: is there already; name another folder")
    if options.mapping is None:
        return
    if not options.anonymise:
        raise InputError("--mapping says what neutral names stand for; give --anonymise as well")
    if options.mapping.resolve().is_relative_to(options.out.resolve()):
        raise InputError(
            f"--mapping {options.mapping}: lies in {options.out}, which is to name nobody; name a"
            " file elsewhere"
        )
    check_file(options.mapping)


def _chosen(options: Export) -> list[Result]:
    """The videos to export."""
    results = open_results(options.result)
    if options.video is not None:
        there = [result.video for result in results]
        results = [result for result in results if result.video == options.video]
        if not results:
            raise InputError(
                f"--video {options.video}: {options.result} holds {', '.join(there[:5])}"
                f"{', ...' if len(there) > 5 else ''}"
            )
    if len(results) > 1 and options.pictures is not None:
        raise InputError("--pictures are those of one video; choose it by --video")
    return results


def _plan(result: Result, written: ExportOptions, options: Export) -> ExportPlan:
    """What will be written of a result; what will be lost is said."""
    plan = plan_export(
        options.to, result, written, allow_loss=options.allow_loss, hint="give --allow-loss"
    )
    notes = [*plan.notes]
    if options.anonymise and options.pictures is not None:
        notes.append("nobody has looked at the pictures: a name burnt into them stays there")
    for note in notes:
        say(f"note: {result.video}: {note}")
    return plan


def _tell(options: Export, plans: list[ExportPlan]) -> None:
    frames = sum(plan.contents.frames for plan in plans)
    count = sum(len(plan.result.ids) for plan in plans)
    videos = f"{len(plans)} videos, " if len(plans) > 1 else ""
    say(
        f"{videos}{frames} frames, {count} object{'s' * (count != 1)} as {options.to}:"
        f" {options.out}"
    )
