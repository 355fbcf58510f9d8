"""Export to ONNX: the graphs answer as torch does, and what cannot be done is one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from footage import Clip
from sam2s.errors import InputError
from sam2s.onnx_export.graph_files import export_onnx
from sam2s.onnx_export.graphs import FEATURES, MEMORY, axes_of, graphs_of
from sam2s.types import MemoryBatch, PromptBatch
from tiny import build_tiny


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "SAM2S_ONNX" not in os.environ:
        pytest.skip("recording six graphs takes two minutes; set SAM2S_ONNX=1")
    out = tmp_path_factory.mktemp("onnx") / "tiny"
    agreement = export_onnx(build_tiny(), out)
    assert agreement.share < 1e-3
    assert agreement.frames == 12
    return out


def test_a_video_is_tracked_without_torch(exported: Path, tmp_path: Path):
    video = Clip(".mp4", count=5).write(tmp_path)
    blocked = "import sys; sys.modules['torch'] = None; sys.modules['sam2s'] = None; "
    run = f"import runpy; sys.argv[0:1] = []; runpy.run_path({str(exported / 'track.py')!r}, "
    said = subprocess.run(
        [sys.executable, "-c", f"{blocked}{run}run_name='__main__')", "-", str(video), "30", "20"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("% of the picture") == 5


def test_weights_are_written_once(exported: Path):
    weights = (exported / "weights.bin").stat().st_size
    parameters = sum(p.numel() * p.element_size() for p in build_tiny().parameters())
    assert parameters * 0.9 < weights < 1.4 * parameters
    assert json.loads((exported / "model.json").read_text())["image_size"] == 64


def test_rows_and_points_vary(exported: Path):
    import onnxruntime

    graph = next(graph for graph in graphs_of(build_tiny()) if graph.name == "points")
    session = onnxruntime.InferenceSession(str(exported / "points.onnx"))
    given = {name: tensor.numpy() for name, tensor in graph.example.items()}
    five = {n: np.repeat(a[:1], 5, axis=0) if n in graph.axes else a for n, a in given.items()}
    five["coords"] = np.full((5, 7, 2), 20, np.float32)
    five["labels"] = np.ones((5, 7), np.int64)
    assert session.run(None, five)[0].shape == (5, 16, 16)


def test_a_graph_is_the_verbs_of_the_network():
    model = build_tiny()
    by_name = {graph.name: graph for graph in graphs_of(model)}
    with torch.inference_mode():
        features = model.encode(torch.rand(1, 3, 64, 64))
        given = {**by_name["correct_points"].example}
        given |= {"maps": torch.rand_like(given["maps"]), "prior": torch.randn_like(given["prior"])}
        for name in FEATURES:
            given[name] = getattr(features, name)
        outputs = by_name["correct_points"].module(*given.values())
        memory = MemoryBatch(**{name: given[name] for name in MEMORY})
        prompts = PromptBatch(given["coords"], given["labels"], given["prior"])
        decoded = model.decode(model.recall(features.expand(2), memory), prompts)
        seen = torch.ones(2, dtype=torch.bool)
        maps = model.memorize(features.expand(2), decoded, binarize=seen)
    torch.testing.assert_close(outputs[0], decoded.mask_logits)
    torch.testing.assert_close(outputs[3], decoded.pointer)
    torch.testing.assert_close(outputs[4], maps)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path):
    with pytest.raises(InputError, match="already"):
        export_onnx(build_tiny(), tmp_path)


def test_an_export_is_not_tied_to_the_rows_of_its_example():
    """The one graph whose rows remember, recorded alone: the others take minutes."""
    graph = next(graph for graph in graphs_of(build_tiny()) if graph.name == "track")
    axes = axes_of(graph)
    with torch.no_grad():
        graph.module(*graph.example.values())  # fills caches
        recorded = torch.export.export(
            graph.module,
            tuple(graph.example.values()),
            dynamic_shapes=(*axes[:3], axes[3:]),
            strict=False,
        )
    (rows,) = recorded.range_constraints.values()
    assert rows.lower == 1
    assert rows.upper > 10**6
