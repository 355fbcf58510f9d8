"""Where a model runs: names of devices, precisions of cards, and memory that runs out."""

from __future__ import annotations

import pytest
import torch

from sam2s.devices import describe, memory_errors, pick_device, wants_bf16
from sam2s.errors import InputError, OutOfMemory

CUDA = torch.device("cuda", 0)


@pytest.fixture
def a_card(monkeypatch: pytest.MonkeyPatch):
    """One CUDA card, as far as asking goes; the answer says whether its hardware knows bf16."""

    def plug_in(*, bf16: bool) -> None:
        def supported(including_emulation: bool = True) -> bool:
            return bf16 or including_emulation

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
        monkeypatch.setattr(torch.cuda, "device", lambda device: torch.no_grad())

    return plug_in


def test_auto_is_the_first_card_and_else_the_cpu(a_card, monkeypatch: pytest.MonkeyPatch):
    a_card(bf16=True)
    assert pick_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    assert pick_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("name", ["cuda:7", "mps", "tpu", ""])
def test_a_device_that_is_not_there_is_one_line_with_those_that_are(name: str):
    with pytest.raises(InputError, match=r"not usable here; give auto, or one of cpu") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hardware", [True, False])
def test_auto_is_bf16_only_where_the_card_computes_it(a_card, hardware: bool):
    a_card(bf16=hardware)
    assert wants_bf16("auto", CUDA) == hardware
    assert wants_bf16("bf16", CUDA)
    assert not wants_bf16("fp32", CUDA)
    assert not wants_bf16("auto", torch.device("cpu"))
    assert not wants_bf16("auto", torch.device("mps"))
    assert describe(CUDA, bf16=hardware) == f"cuda:0 (a card), {'bf16' if hardware else 'fp32'}"


def test_another_precision_is_refused():
    with pytest.raises(InputError, match="precision 'fp16': expected auto, fp32 or bf16"):
        wants_bf16("fp16", torch.device("cpu"))


def test_memory_that_runs_out_is_one_line():
    with (
        pytest.raises(
            OutOfMemory, match="frame 3: the device has no memory left; do this"
        ) as error,
        memory_errors("frame 3", "do this"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
    assert error.value.exit_code == 2
