"""Writing the graphs: one ``.onnx`` file each, all weights once in ``weights.bin``, and
``model.json`` with the numbers that a program needs beside them."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

from sam2s.errors import InputError
from sam2s.extras import require
from sam2s.files import not_written, write_json
from sam2s.geometry import IMAGE_MEAN, IMAGE_STD
from sam2s.model.sam2s import SAM2S
from sam2s.onnx_export.graphs import MAP_SLOTS, POINTER_SLOTS, Graph, axes_of, graphs_of
from sam2s.types import CONDITIONING_SLOT, RECENT_SLOTS

WEIGHTS = "weights.bin"
SMALL = 1024
"""Bytes up to which a constant stays in its graph."""
TOLERANCE = 1e-3
"""Largest difference from torch, as a share of the largest logit."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """``share``: the largest difference of a mask logit, divided by the largest logit."""

    share: float
    frames: int


def export_onnx(model: SAM2S, out: Path) -> Agreement:
    """Write a model on the CPU to the new folder ``out`` and compare a track of 12 frames in
    onnxruntime with torch.

    Raises ``InputError`` where a package is missing, the folder is there already, or the two
    differ by more than `TOLERANCE`; nothing is then left behind.
    """
    require("export to ONNX", "onnx", "onnx", "onnxruntime", "onnxscript")
    from sam2s.onnx_export import runtime
    from sam2s.onnx_export.comparison import largest_difference

    if out.exists():
        raise InputError(f"{out}: is there already; name another folder")
    hidden = out.with_name(f".{out.name[:40]}.{os.getpid()}.part")
    try:
        hidden.mkdir(parents=True)
        with (hidden / WEIGHTS).open("wb") as weights:
            places: dict[bytes, int] = {}
            for graph in graphs_of(model.eval()):
                _write(graph, hidden, weights, places)
        shutil.copyfile(runtime.__file__, hidden / "track.py")
        write_json(hidden / "model.json", _numbers(model))
        agreement = Agreement(*largest_difference(model, hidden))
        if agreement.share > TOLERANCE:
            raise InputError(
                f"{out}: onnxruntime differs from torch by {agreement.share:.1e} of the largest"
                f" logit, more than {TOLERANCE}; nothing was kept; please report this"
            )
        os.replace(hidden, out)
    except OSError as error:
        raise not_written(out, error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return agreement


def _numbers(model: SAM2S) -> dict[str, Any]:
    config = model.config
    return {
        "image_size": model.image_size,
        "mean": IMAGE_MEAN,
        "std": IMAGE_STD,
        "map_slots": MAP_SLOTS,
        "pointer_slots": POINTER_SLOTS,
        "recent_maps": RECENT_SLOTS,
        "prompted_slot": CONDITIONING_SLOT,
        "memory_dim": config.memory_dim,
        "dim": config.dim,
    }


def _write(graph: Graph, folder: Path, weights: BinaryIO, places: dict[bytes, int]) -> None:
    """One graph; tensors that another graph has written already are not written again."""
    example = tuple(graph.example.values())
    with torch.no_grad(), _quiet():
        # Caches of position codes must be filled with real numbers before the graph is recorded.
        graph.module(*example)
        axes = axes_of(graph)
        program = torch.onnx.export(
            graph.module,
            example,
            dynamo=True,
            input_names=list(graph.example),
            output_names=list(graph.outputs),
            dynamic_shapes=(*axes[:3], axes[3:]) if graph.axes else None,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for tensor in model.graph.initializer:
        _move(tensor, weights, places)
    (folder / f"{graph.name}.onnx").write_bytes(model.SerializeToString())


def _move(tensor: Any, weights: BinaryIO, places: dict[bytes, int]) -> None:
    """The tensor's bytes into the common file, unless they are few."""
    import hashlib

    from onnx import StringStringEntryProto, TensorProto, numpy_helper

    data = numpy_helper.to_array(tensor).tobytes()
    if len(data) <= SMALL:
        return
    mark = hashlib.sha256(data).digest()
    if mark not in places:
        weights.write(b"\0" * (-weights.tell() % 64))
        places[mark] = weights.tell()
        weights.write(data)
        weights.flush()
    for field in ("raw_data", "float_data", "int64_data", "int32_data", "double_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    place = {"location": WEIGHTS, "offset": str(places[mark]), "length": str(len(data))}
    tensor.external_data.extend(
        StringStringEntryProto(key=key, value=value) for key, value in place.items()
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporting warns of its own insides, and of a torchvision that nobody needs."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
