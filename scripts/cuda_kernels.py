"""Writes the table of operators and integer dtypes that the CPU computes and CUDA does not.

    pip install expecttest; python scripts/cuda_kernels.py tests/gpu/no_cuda_kernel.json

The pretend GPU of the tests refuses what the table lists. The source is torch's own OpInfo, which
knows the dtypes of each operator by device; it names functions as users call them, so the operators
that these end in are added by hand (``ENDS_IN``). Floating-point dtypes are left out: what CUDA
lacks there depends on the card.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

from torch.testing._internal.common_methods_invocations import op_db

INTEGERS = {"int8", "int16", "int32", "int64", "uint8"}
ENDS_IN = {
    "conv2d": ("convolution",),
    "interpolate": ("upsample_bilinear2d", "upsample_bicubic2d", "_upsample_bilinear2d_aa"),
    "max_pool2d": ("max_pool2d_with_indices",),
}
"""Function -> operators below it. The antialiased resize of uint8 was seen to fail on a card
("upsample_bilinear2d_out_frame" not implemented for 'Byte', torch 2.11)."""


def table() -> dict[str, list[str]]:
    """{operator: dtypes}, sorted."""
    lacking: dict[str, set[str]] = defaultdict(set)
    for op in op_db:
        dtypes = {str(d).removeprefix("torch.") for d in set(op.dtypes) - set(op.dtypesIfCUDA)}
        function = op.name.split(".")[-1]
        for name in {function, op.aten_name, *ENDS_IN.get(function, ())}:
            lacking[name] |= dtypes & INTEGERS
    return {name: sorted(dtypes) for name, dtypes in sorted(lacking.items()) if dtypes}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    rows = ",\n".join(f' "{name}": {json.dumps(dtypes)}' for name, dtypes in table().items())
    out.write_text(f"{{\n{rows}\n}}\n")
