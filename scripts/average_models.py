"""The mean of two models' weights: python scripts/average_models.py ONE OTHER OUT [--share 0.5]

Both have one architecture. Where one was trained on from the other, their mean is often better than
either (Wortsman et al. 2022, "Model soups"). ``--share``: how much of the second one. The
configuration is that of the first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sam2s.weights.average import average_weights
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
    model = load_model(given.one, device="cpu")
    other = load_model(given.other, device="cpu")
    average_weights(model, other, given.share, (given.one, given.other))
    print(f"mean of {given.one} and {given.other}: {save_model(model, given.out)}")


if __name__ == "__main__":
    main()
