"""The mean of two models' weights: python scripts/average_models.py ONE OTHER OUT [--share 0.5]

Both have one architecture. Where one was trained on from the other, their mean is often better than
either (Wortsman et al. 2022, "Model soups"). ``--share``: how much of the second one. The
configuration is that of the first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from sam2s.errors import InputError
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("one", help="a model as load_model takes it")
    parser.add_argument("other")
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5)
    given = parser.parse_args()
    model, others = (
        load_model(given.one, device="cpu"),
        load_model(given.other, device="cpu").state_dict(),
    )
    own = model.state_dict()
    if {name: tensor.shape for name, tensor in own.items()} != {
        name: t.shape for name, t in others.items()
    }:
        raise InputError(
            f"{given.other}: is built otherwise than {given.one}; only like models have a mean"
        )
    mean = {
        n: torch.lerp(t, others[n], given.share) if t.is_floating_point() else t
        for n, t in own.items()
    }
    model.load_state_dict(mean)
    print(f"mean of {given.one} and {given.other}: {save_model(model, given.out)}")


if __name__ == "__main__":
    main()
