"""Where a model runs: names of devices, precisions of cards, and memory that runs out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sam2s import devices
from sam2s.devices import (
    describe,
    download,
    halved_threads,
    kind_of,
    memory_errors,
    pick_device,
    trains_in_bf16,
    wants_bf16,
)
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
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(devices, "_compute_on", lambda device: None)

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


def test_nothing_can_be_computed_on_a_device_without_values():
    with pytest.raises(InputError, match="device meta: not usable here"):
        pick_device("meta")


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_card_that_torch_has_no_kernels_for_is_one_line(
    a_card, monkeypatch: pytest.MonkeyPatch, name: str
):
    a_card(bf16=False)

    def too_old(device: torch.device) -> None:
        raise RuntimeError("CUDA error: no kernel image is available\nfor execution")

    monkeypatch.setattr(devices, "_compute_on", too_old)
    with pytest.raises(InputError, match="device cuda: not usable here") as caught:
        pick_device(name)
    said = str(caught.value)
    assert "give auto, or one of cpu, cuda:0 (torch: CUDA error: no kernel image" in said
    assert "\n" not in said


@pytest.mark.parametrize("hardware", [True, False])
def test_auto_is_bf16_only_where_the_card_computes_it(a_card, hardware: bool):
    a_card(bf16=hardware)
    assert wants_bf16("auto", CUDA) == hardware
    assert wants_bf16("bf16", CUDA)
    assert not wants_bf16("fp32", CUDA)
    assert trains_in_bf16("auto", CUDA) == trains_in_bf16("bf16", CUDA) == hardware
    assert not trains_in_bf16("fp32", CUDA)
    assert trains_in_bf16("bf16", torch.device("cpu"))
    assert not wants_bf16("auto", torch.device("cpu"))
    assert not wants_bf16("auto", torch.device("mps"))
    assert kind_of(torch.device("cuda", 1)) == kind_of(CUDA) == "cuda (a card)"
    assert describe(CUDA, bf16=hardware) == f"cuda:0 (a card), {'bf16' if hardware else 'fp32'}"


def test_another_precision_is_refused():
    with pytest.raises(InputError, match="precision 'fp16': expected auto, fp32 or bf16"):
        wants_bf16("fp16", torch.device("cpu"))


def test_what_has_a_gradient_can_be_downloaded():
    (scores,) = download([torch.ones(2, requires_grad=True) * 3])
    assert scores.tolist() == [3.0, 3.0]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_memory_that_runs_out_is_one_line(error: RuntimeError):
    with (
        pytest.raises(
            OutOfMemory, match="frame 3: the device has no memory left; do this"
        ) as caught,
        memory_errors("frame 3", "do this"),
    ):
        raise error
    assert caught.value.exit_code == 2


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), memory_errors("frame 3", "do this"):
        raise RuntimeError("shapes differ")


def test_a_tensor_too_large_for_this_machine_is_recognised():
    """What torch really says of it here."""
    with pytest.raises(OutOfMemory), memory_errors("", ""):
        torch.empty(2**60, dtype=torch.uint8)


def test_two_stages_have_half_of_the_threads_each():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(5)
        with halved_threads():
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(torch.get_num_threads).result() == 2
            assert torch.get_num_threads() == 2
            with halved_threads(), halved_threads():
                assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 5
    finally:
        torch.set_num_threads(before)


def fail_with_fewer_threads() -> None:
    with halved_threads():
        raise KeyError


def test_threads_come_back_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(KeyError):
        fail_with_fewer_threads()
    assert torch.get_num_threads() == before
