"""What single modules promise beyond their part in the five verbs."""

from __future__ import annotations

import pytest
import torch

from sam2s.model.hiera import Hiera
from sam2s.model.mask_decoder import Candidates, stability
from sam2s.model.prompt_encoder import PromptEncoder
from sam2s.types import PromptBatch


def hiera(**changed: object) -> Hiera:
    shape = {
        "width": 8,
        "heads": 1,
        "blocks": (1, 1, 2, 1),
        "windows": (8, 4, 6, 3),
        "global_blocks": (),
        "position_grid": 3,
    }
    torch.manual_seed(0)
    return Hiera(**{**shape, **changed})


def test_each_stage_halves_the_grid_and_doubles_the_width():
    stages = hiera()(torch.randn(2, 3, 96, 96))
    assert [tuple(s.shape) for s in stages] == [
        (2, 8, 24, 24),
        (2, 16, 12, 12),
        (2, 32, 6, 6),
        (2, 64, 3, 3),
    ]


def reach(trunk: Hiera) -> torch.Tensor:
    """Which cells of the last stage notice a change in the first pixels."""
    image = torch.randn(1, 3, 192, 192)
    changed = image.clone()
    changed[:, :, :4, :4] += 1
    return (trunk(image)[-1] - trunk(changed)[-1]).abs().amax(dim=(0, 1)) > 1e-6


def test_windows_keep_far_cells_apart_and_global_blocks_join_them():
    assert not reach(hiera())[-1, -1]
    assert reach(hiera(global_blocks=(3,))).all()


def test_position_code_repeats_by_window_over_a_coarse_one():
    trunk = hiera(position_grid=8)
    trunk.pos_embed.data.zero_()
    code = trunk._position(16, 24)
    assert torch.equal(code[:, :8, :8], code[:, 8:, 16:])
    trunk.pos_embed_window.data.zero_()
    trunk.pos_embed.data.normal_()
    assert torch.allclose(trunk._position(8, 8)[0].permute(2, 0, 1), trunk.pos_embed[0], atol=1e-6)


def test_the_trunk_is_one_of_heads_too():
    """More heads split the same width; the result differs, its shape does not."""
    image = torch.randn(1, 3, 64, 64)
    one, two = hiera()(image), hiera(heads=2)(image)
    assert [a.shape for a in one] == [b.shape for b in two]
    assert not torch.allclose(one[-1], two[-1])


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([[1.0, 1.0], [-1.0, -1.0]], 1.0),
        ([[1.0, 0.01], [-0.01, -1.0]], 1 / 3),
        ([[-1.0, -1.0], [-1.0, -1.0]], 1.0),  # an empty mask does not waver
        ([[0.0, -1.0], [-1.0, -1.0]], 0.0),
    ],
)
def test_stability(logits: list[list[float]], expected: float):
    assert stability(torch.tensor([logits])).item() == pytest.approx(expected)


def test_single_or_best_row_by_row():
    logits = torch.full((2, 4, 1, 2), 5.0)
    logits[:, 1:] = torch.arange(1.0, 4.0).view(1, 3, 1, 1)
    logits[1, 0] = 0.01  # unstable: inside the band on every pixel
    ious = torch.tensor([[0.1, 0.2, 0.9, 0.3], [0.1, 0.2, 0.3, 0.9]])
    tokens = torch.randn(2, 4, 5)
    picked = Candidates(logits, ious, tokens).single_or_best()
    assert picked.logits[:, 0, 0, 0].tolist() == [5.0, 3.0]
    assert picked.ious[:, 0].tolist() == pytest.approx([0.1, 0.9])
    assert torch.equal(picked.tokens, tokens[:, :1])
    kept = Candidates(logits, ious, tokens).single_or_best(0.0)
    assert torch.equal(kept.logits, logits[:, :1])
    assert torch.equal(kept.ious, ious[:, :1])


def test_prompt_tokens_end_with_an_empty_point():
    encoder = PromptEncoder(16)
    none, _ = encoder(PromptBatch.none(3), 64)
    assert none.shape == (3, 2, 16)
    assert (none == encoder.not_a_point).all()
    some, _ = encoder(PromptBatch(torch.rand(3, 2, 2), torch.ones(3, 2, dtype=torch.long)), 64)
    assert some.shape == (3, 3, 16)
    assert (some[:, -1] == encoder.not_a_point).all()


def test_a_click_at_a_cells_centre_has_the_cells_code():
    """Clicks and image cells share one code. Pixel 7.5 (centre 8) is the middle of the first cell
    of 16 pixels."""
    encoder = PromptEncoder(16)
    encoder.label_embed.data.zero_()
    coords = torch.tensor([[[7.5, 7.5], [39.5, 23.5]]])
    tokens, _ = encoder(PromptBatch(coords, torch.ones(1, 2, dtype=torch.long)), 64)
    grid = encoder.grid_code(4, 4)[0]
    assert torch.allclose(tokens[0, 0], grid[0], atol=1e-5)
    assert torch.allclose(tokens[0, 1], grid[1 * 4 + 2], atol=1e-5)


def test_without_a_mask_the_dense_code_is_one_vector():
    encoder = PromptEncoder(16)
    _, none = encoder(PromptBatch.none(2), 64)
    _, some = encoder(
        PromptBatch(
            torch.zeros(2, 0, 2), torch.zeros(2, 0, dtype=torch.long), torch.randn(2, 16, 16)
        ),
        64,
    )
    assert none.shape == (1, 16, 1, 1)
    assert some.shape == (2, 16, 4, 4)
