"""Windows cover the clip, and what is predicted in them is averaged."""

import itertools
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.diffusion.windows import MODES, Windows, average_windows
from actalker_core.errors import InputError


@pytest.mark.parametrize("mode", ["tight", "cyclic"])
@pytest.mark.parametrize("window", [1, 2, 5, 16, 25])
def test_windows_cover_every_frame_at_every_step(window: int, mode: str) -> None:
    for length, overlap in itertools.product(range(1, 201), range(window)):
        windows = Windows(window, overlap, 7, mode)
        frames = length + windows.padding
        for step in (0, 1, 3):
            chunks = windows.at(step, frames)
            assert {i for w in chunks for i in w} == set(range(frames))
            assert all(len(w) == min(window, frames) == len(set(w)) for w in chunks)


@given(st.integers(1, 300), st.integers(1, 40), st.integers(0, 39), st.integers(0, 50))
def test_tight_windows_stay_inside_and_are_few(
    length: int, window: int, overlap: int, step: int
) -> None:
    overlap %= window
    chunks = Windows(window, overlap, 7).at(step, length)
    shift, stride = 7 * step % window, window - overlap
    assert len(chunks) <= -(-(length + shift) // stride)
    assert all(w == list(range(w[0], w[-1] + 1)) for w in chunks)
    assert len({tuple(w) for w in chunks}) == len(chunks)


@pytest.mark.parametrize("length", [1, 10, 24, 25])
def test_one_window_for_a_clip_that_fits(length: int) -> None:
    assert all(Windows(25, 0, 7).at(step, length) == [list(range(length))] for step in range(25))


def test_cyclic_windows_wrap_and_shift() -> None:
    windows = Windows(5, 1, 2, "cyclic")
    assert windows.at(0, 12) == [[0, 1, 2, 3, 4], [4, 5, 6, 7, 8], [8, 9, 10, 11, 0]]
    assert windows.at(1, 12)[0] == [10, 11, 0, 1, 2]
    assert windows.at(3, 12)[0] == [11, 0, 1, 2, 3]  # the shift is taken modulo the window


@pytest.mark.parametrize(
    "values", [(0, 0, 7, "tight"), (25, 25, 7, "tight"), (25, -1, 7, "tight"), (25, 0, 7, "loop")]
)
def test_impossible_windows_are_refused(values: tuple) -> None:
    with pytest.raises(InputError, match="Windows: expected"):
        Windows(*values)


# Averages ----------------------------------------------------------------------------------------


@st.composite
def cut_clips(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    """Frames of a clip, and its windows at some step."""
    window = draw(st.integers(1, 9))
    windows = Windows(
        window,
        draw(st.integers(0, window - 1)),
        draw(st.integers(0, 9)),
        draw(st.sampled_from(MODES)),
    )
    frames = draw(st.integers(1, 30)) + windows.padding
    return frames, windows.at(draw(st.integers(0, 5)), frames)


@settings(deadline=None)
@given(cut_clips())
def test_a_constant_stays_the_constant(cut: tuple[int, list[list[int]]]) -> None:
    frames, windows = cut
    mean = average_windows(
        torch.zeros(frames, 2), windows, lambda x, numbers: torch.full((len(x), 3, 1), 7.0)
    )
    assert torch.equal(mean, torch.full((frames, 3, 1), 7.0))


@settings(deadline=None)
@given(cut_clips())
def test_what_depends_on_the_frame_alone_stays_as_it_is(cut: tuple[int, list[list[int]]]) -> None:
    frames, windows = cut
    x = torch.randn(frames, 2, generator=torch.Generator().manual_seed(0))

    def predict(window: Tensor, numbers: Sequence[int]) -> Tensor:
        assert torch.equal(window, x[list(numbers)])
        return 2 * window

    assert torch.allclose(average_windows(x, windows, predict), 2 * x)


@settings(deadline=None)
@given(cut_clips())
def test_the_weights_of_all_windows_add_up_to_1_in_each_frame(
    cut: tuple[int, list[list[int]]],
) -> None:
    frames, windows = cut
    marks = torch.eye(len(windows))
    weights = average_windows(
        torch.zeros(frames),
        windows,
        lambda x, numbers: marks[windows.index(list(numbers))].expand(len(x), -1),
    )
    assert torch.allclose(weights.sum(1), torch.ones(frames))
    for i, row in enumerate(weights.tolist()):
        share = 1 / sum(i in window for window in windows)
        assert row == pytest.approx([share if i in window else 0.0 for window in windows])


@settings(deadline=None)
@given(cut_clips())
def test_each_window_is_predicted_once(cut: tuple[int, list[list[int]]]) -> None:
    frames, windows = cut
    calls: list[Sequence[int]] = []
    average_windows(torch.zeros(frames), windows, lambda x, numbers: calls.append(numbers) or x)
    assert calls == windows
