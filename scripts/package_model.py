"""Put a trained model into the package.

    python scripts/package_model.py RUN/model NAME [--rule diverse] [--iou 0.8] [--stability 0]

Weights are stored as float16 (half the size; loading gives float32), the memory rule, its IoU
threshold and the mask decoder's stability threshold in the config. Prints the size, the hash and
how much rounding changed the weights.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

import sam2s.weights
from sam2s.weights.load import load_model, weights_hash
from sam2s.weights.save import save_model

LIMIT = 16_000_000
"""Bytes that a packaged model may have."""


def main() -> None:
    given = _arguments()
    model = load_model(given.model, device="cpu")
    memory = model.config.memory
    if given.rule is not None:
        memory = replace(memory, rule=given.rule)
    if given.iou is not None:
        memory = replace(memory, iou_threshold=given.iou)
    model.config = replace(model.config, name=given.name, memory=memory)
    if given.stability is not None:
        model.config = replace(model.config, stability_threshold=given.stability)
    folder = save_model(
        model, Path(sam2s.weights.__file__).parent / given.name, dtype=torch.float16
    )

    size = (folder / "model.safetensors").stat().st_size
    packaged = load_model(folder, device="cpu").state_dict()
    change = max(
        float((packaged[k] - v).abs().max() / v.abs().max().clamp(min=1e-9))
        for k, v in _floats(model)
    )
    print(
        f"{folder.name}: {size:,} bytes, sha256 {weights_hash(folder)}, rounding {change:.1e} of"
        " the largest weight"
    )
    if size > LIMIT:
        raise SystemExit(f"{size:,} bytes are more than the {LIMIT:,} that the package takes")


def _floats(model: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [
        (name, value) for name, value in model.state_dict().items() if value.is_floating_point()
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="folder of a trained model")
    parser.add_argument("name", help="name to ship it under")
    parser.add_argument("--rule", choices=["recent", "diverse"], help="default memory rule")
    parser.add_argument("--iou", type=float, help="DiveMem's threshold on the predicted IoU")
    parser.add_argument(
        "--stability",
        type=float,
        help="below it, the single candidate gives way to the best of three",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
