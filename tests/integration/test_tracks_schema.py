"""What ``sam2s track`` writes is what docs/tracks.schema.json says, and holds nothing that it does
not say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from sam2s.export.results import open_result
from sam2s.export.tracks import read_tracks
from sam2s.model.presets import SemanticConfig
from sam2s.weights.save import save_model
from small import SMALL, small_model

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "tracks.schema.json").read_text())
OPEN = {"memory"}
"""Parts with keys of their own: each memory rule has its constants."""


def strict(schema: Any, name: str = "") -> Any:
    """The same with every key that it does not list forbidden: readers must ignore those, writers
    must list theirs."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(part, key) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema and name not in OPEN:
        closed["additionalProperties"] = False
    return closed


VALIDATOR = jsonschema.Draft202012Validator(strict(SCHEMA))


@pytest.fixture
def written(sam2s, model_folder: Path, tmp_path: Path):
    """The content of tracks.json of a run with these options."""

    def run(options: str, *, out: str = "out", code: int = 0) -> dict[str, Any]:
        said = sam2s(f"track {options} --out {tmp_path / out} --device cpu")
        assert said.code == code, said.err
        return json.loads((tmp_path / out / "tracks.json").read_text())

    return run


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_prompts_of_every_kind(written, video: Path, model_folder: Path, tmp_path: Path):
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    (tmp_path / "p.json").write_text(
        json.dumps(
            [
                {"action": "name", "object": 1, "name": "clip"},
                {"action": "lock", "object": 1, "frame": 10, "to": 11},
                {"action": "out_of_body", "frame": 9, "to": 10},
            ]
        )
    )
    given = (
        f"--click 1:16,18 --click 1:30,30,-@2 --box 2:4,5,30,31@4 --mask 3:{tmp_path / 'mask.png'}"
        f" --absent 1:5-6 --prompts {tmp_path / 'p.json'} --direction both"
    )
    content = written(f"{video} --model {model_folder} {given}")
    VALIDATOR.validate(content)
    assert "objects" not in content, "a model without names names nothing"
    kinds = {row["action"] for row in content["run"]["actions"]}
    assert kinds == {"click", "box", "mask", "absent", "name", "lock", "out_of_body"}
    updated = written(
        f"{video} --model {model_folder} --update {tmp_path / 'out'} --click 2:9,9@7", out="again"
    )
    VALIDATOR.validate(updated)


def test_a_video_that_breaks_and_one_without_a_clock(
    written, video: Path, model_folder: Path, tmp_path: Path
):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.7)])
    whole = video.read_bytes()
    assert whole.index(b"moov") < len(whole) // 2, "its index comes first, so a part can be read"
    content = written(f"{cut} --model {model_folder} --click 1:16,18", code=3)
    VALIDATOR.validate(content)
    assert content["broke_at"]["index"] == len(content["frames"])
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(2):
        Image.new("RGB", (64, 48)).save(folder / f"{k}.png")
    still = written(f"{folder} --model {model_folder} --click 1:16,18", out="still")
    VALIDATOR.validate(still)
    assert still["frames"][1]["time"] is None


def test_classes_of_a_model_that_names_instruments(written, video: Path, tmp_path: Path):
    one = SemanticConfig(("needle driver",), bank="orthogonal", width=8)
    model = small_model(config=replace(SMALL, semantic=one)).requires_grad_(False)
    model.mask_decoder.object_head.last.bias.fill_(5.0)
    folder = save_model(model, tmp_path / "named")
    content = written(f"{video} --model {folder} --click 3:16,18")
    VALIDATOR.validate(content)
    assert content["frames"][0]["objects"]["3"]["class"] == "needle driver"
    assert content["objects"] == {"3": {"class": "needle driver", "class_prob": 1.0}}
    assert read_tracks(tmp_path / "out" / "tracks.json").objects[3].class_name == "needle driver"
    assert open_result(tmp_path / "out").names == {3: "needle driver"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(complete=False), "is not of type 'object'"),
        (lambda c: c["frames"][0].pop("time"), "'time' is a required property"),
        (lambda c: c["frames"][0]["objects"]["1"].update({"class": "x"}), "class_prob"),
        (lambda c: c["frames"][0]["objects"].update({"one": {}}), "does not match"),
        (lambda c: c["run"].update(new=1), "'new' was unexpected"),
    ],
)
def test_the_schema_refuses(written, video: Path, model_folder: Path, change, words: str):
    content = written(f"{video} --model {model_folder} --click 1:16,18 --frames 0:1")
    change(content)
    with pytest.raises(jsonschema.ValidationError, match=words):
        VALIDATOR.validate(content)
