"""Masks become tokens."""

import pytest
import torch
from torch import Tensor

from actalker_core.control.regions import box_mask
from actalker_core.errors import InputError
from actalker_core.models.actalker.token_regions import Regions, find_tokens

GRID = (8, 6)
SIZE = (64, 48)
FACE = (8.0, 8.0, 40.0, 56.0)


def box(x0: int, y0: int, x1: int, y1: int) -> Tensor:
    return box_mask((x0, y0, x1, y1), *SIZE)


def test_a_full_mask_keeps_everything_without_a_list() -> None:
    region = find_tokens(torch.ones(1, 1, *SIZE), GRID)
    assert region.token_idx is None
    assert not region.is_empty
    assert torch.allclose(region.weight, torch.ones(1, 48, 1))


@pytest.mark.parametrize("size", [(64, 48), (100, 75), (512, 384), (61, 50), (8, 6), (3, 2)])
def test_ones_of_any_size_keep_everything(size: tuple[int, int]) -> None:
    assert find_tokens(torch.ones(1, 1, *size), GRID).token_idx is None


def test_an_empty_mask_keeps_nothing() -> None:
    region = find_tokens(torch.zeros(1, 1, *SIZE), GRID)
    assert region.is_empty
    assert region.weight.abs().max() == 0


def test_a_box_on_the_grid_keeps_its_tokens_in_raster_order() -> None:
    region = find_tokens(box(16, 8, 32, 24), GRID)  # columns 2, 3 of rows 1, 2
    assert region.pad_mask is None
    assert region.token_idx.tolist() == [[8, 9, 14, 15]]


def test_a_soft_mask_weighs_attention_but_scans_nothing() -> None:
    region = find_tokens(0.5 * torch.ones(1, 1, *SIZE), GRID)
    assert region.is_empty
    assert torch.allclose(region.weight, 0.5 * torch.ones(1, 48, 1))


def test_a_mask_reaches_as_far_as_it_weighs() -> None:
    masks = torch.cat([box(20, 12, 36, 30), box(0, 0, 8, 8), torch.zeros(1, 1, *SIZE)])
    region = find_tokens(masks, GRID)
    for idx, weight in zip(region.support_idx, region.weight[..., 0], strict=True):
        assert len(set(idx.tolist())) == len(idx)
        assert weight[idx].abs().sum() == weight.abs().sum()
    assert find_tokens(torch.ones(1, 1, *SIZE), GRID).support_idx is None
    assert find_tokens(0.5 * torch.ones(1, 1, *SIZE), GRID).support_idx is None


def test_different_masks_are_filled_up_with_tokens_outside() -> None:
    masks = torch.cat([box(0, 0, 16, 16), box(0, 0, 8, 8), torch.zeros(1, 1, *SIZE)])
    region = find_tokens(masks, GRID)
    assert (~region.pad_mask).sum(1).tolist() == [4, 1, 0]
    for row in range(3):
        alone = find_tokens(masks[row : row + 1], GRID)
        token_idx = region.token_idx[row][~region.pad_mask[row]]
        assert token_idx.tolist() == alone.token_idx[0].tolist()
        assert len(set(region.token_idx[row].tolist())) == 4


def test_every_grid_of_the_model_is_prepared() -> None:
    regions = Regions.from_masks(box(0, 0, 16, 16), torch.ones(1, 1, *SIZE), (16, 24), levels=4)
    assert list(regions.grids) == [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert regions.at((4, 6))[1].token_idx is None


def test_selecting_frames() -> None:
    masks = torch.cat([box(0, 0, 16, 16), box(16, 8, 32, 24), torch.ones(1, 1, *SIZE)])
    regions = Regions.from_masks(masks, torch.ones(1, 1, *SIZE), GRID, levels=1)
    audio, expression = regions.select([1, 0]).at(GRID)
    region = regions.at(GRID)[0]
    assert torch.equal(audio.weight, region.weight[[1, 0]])
    assert torch.equal(audio.token_idx, region.token_idx[[1, 0]])
    assert expression is regions.at(GRID)[1]


def test_masks_of_the_wrong_form_are_refused() -> None:
    with pytest.raises(InputError, match="expression mask"):
        Regions.from_masks(torch.ones(1, 1, 8, 8), torch.ones(8, 8), GRID, 1)
