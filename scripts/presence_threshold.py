"""Another threshold of presence: python scripts/presence_threshold.py MODEL OUT --logit 0.5

An object counts as in view where its logit is above zero. This takes ``--logit`` from every logit,
in the bias of the head that gives them, so that it counts from there on: above 0 for fewer objects
that are claimed and gone, below for fewer that are missed. A threshold is to be chosen on
validation (``scripts/nano_table.py --validation``).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from sam2s.weights.load import load_model
from sam2s.weights.save import save_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="a model as load_model takes it")
    parser.add_argument("out", type=Path)
    parser.add_argument("--logit", type=float, required=True)
    given = parser.parse_args()
    model = load_model(given.model, device="cpu")
    with torch.no_grad():
        model.mask_decoder.object_head.last.bias -= given.logit
    print(f"{given.model}, in view from {given.logit} on: {save_model(model, given.out)}")


if __name__ == "__main__":
    main()
