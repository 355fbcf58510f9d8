from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from sam2s.nn.position import cell_centres, fourier, resize_bicubic, sine_grid, sine_time

CPU = torch.device("cpu")


def test_sine_grid_by_its_formula():
    """One entry worked out by hand: column 1 of 4, row 2 of 3, the second frequency."""
    code = sine_grid(16, 3, 4, CPU).view(3, 4, 16)
    angle = 2 * math.pi * 2 / 4 / 10000 ** (2 / 8)
    assert code[2, 1, 8 + 2].item() == pytest.approx(math.sin(angle), abs=1e-5)
    assert code[2, 1, 8 + 3].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_sine_grid_halves_code_rows_and_columns():
    code = sine_grid(16, 3, 4, CPU).view(3, 4, 16)
    assert (code[..., :8] == code[:, :1, :8]).all()
    assert (code[..., 8:] == code[:1, :, 8:]).all()


def test_sine_time_is_odd_in_sines_and_even_in_cosines():
    ages = torch.tensor([-3.0, 3.0])
    past, future = sine_time(ages, 8)
    assert torch.allclose(past[:4], -future[:4])
    assert torch.allclose(past[4:], future[4:])
    assert sine_time(torch.zeros(1), 8)[0].tolist() == [0.0] * 4 + [1.0] * 4


def test_fourier_of_the_centre_is_zero_phase():
    code = fourier(torch.tensor([[0.5, 0.5]]), torch.randn(2, 5))
    assert code[0].tolist() == [0.0] * 5 + [1.0] * 5


def test_fourier_is_the_same_under_autocast():
    """A product in bfloat16 would move points by several cells."""
    xy, frequencies = torch.rand(7, 2), torch.randn(2, 32)
    plain = fourier(xy, frequencies)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fourier(xy, frequencies), plain)


def test_cell_centres():
    assert cell_centres(1, 2, CPU).tolist() == [[0.25, 0.5], [0.75, 0.5]]


def test_cached_codes_can_be_trained_through():
    """A code first computed in inference mode must not be an inference tensor, which autograd
    refuses to save."""
    with torch.inference_mode():
        code = sine_grid(12, 5, 7, CPU)
    weight = torch.ones(1, requires_grad=True)
    (code * weight).sum().backward()
    assert weight.grad is not None
    assert sine_grid(12, 5, 7, CPU) is code


@pytest.mark.parametrize("size", [(7, 7), (16, 16), (3, 20), (1, 5)])
def test_bicubic_resizing_is_torchs_with_its_gradient(size: tuple[int, int]) -> None:
    code = torch.randn(1, 3, 7, 5, requires_grad=True)
    wanted = F.interpolate(code, size, mode="bicubic")
    with torch.autocast("cpu", torch.bfloat16):
        found = resize_bicubic(code, *size)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    upstream = torch.randn_like(wanted)
    expected, got = (torch.autograd.grad(x, [code], upstream)[0] for x in (wanted, found))
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
