"""Signals, gates and regions laid over a clip."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from actalker_core.control.curves import Curve, DrawnCurve
from actalker_core.control.signals import AudioSignal, ExpressionSignal, Signals
from actalker_core.errors import InputError
from actalker_core.faces import Face
from actalker_core.faces.portrait import prepare_portrait
from actalker_core.media import Audio
from actalker_core.models.actalker.config import SamplingConfig
from actalker_core.models.actalker.plan import RegionChoice, VideoPlan, plan_video

FPS = 10.0
PORTRAIT = prepare_portrait(torch.rand(3, 64, 64), Face((8, 8, 56, 56), 1.0), 64)
AUDIO = AudioSignal(50.0, "speech", torch.zeros(100, 2, 3))
EXPRESSION = ExpressionSignal(10.0, "clip", torch.zeros(15, 4))
BEAT = Audio(torch.cat([torch.ones(1, 8000), torch.zeros(1, 8000)], dim=1).numpy(), 8000)


def plan(signals: Signals, **choices: Any) -> VideoPlan:
    return plan_video(PORTRAIT, signals, SamplingConfig(), **{"fps": FPS, **choices})


@pytest.mark.parametrize(
    "settings", [{"audio_gate": "0"}, {"audio_gate": Curve("0:0, 1:0"), "expression_gate": "1"}]
)
def test_a_clip_that_nothing_drives_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"Both gates are 0.*Open the gate"):
        plan(Signals(audio=AUDIO), **settings)


def test_one_open_gate_is_enough() -> None:
    video = plan(Signals(AUDIO, EXPRESSION), audio_gate="0")
    assert not video.gates["audio"].any()
    assert video.gates["expression"].all()


def test_a_curve_follows_its_own_sound() -> None:
    curve = Curve("envelope attack=0 release=0", BEAT)
    video = plan(Signals(AUDIO, EXPRESSION), audio_gate=curve)
    assert video.gates["audio"].tolist() == [1.0] * 10 + [0.0] * 5


def test_a_drawn_curve_gates_as_a_written_one() -> None:
    video = plan(Signals(AUDIO, EXPRESSION), expression_gate=DrawnCurve(lambda places: places))
    torch.testing.assert_close(video.gates["expression"], torch.linspace(0, 1, 15))


def test_the_shortest_signal_ends_the_clip_unless_it_is_extended() -> None:
    assert plan(Signals(AUDIO, EXPRESSION)).frames == 15
    assert plan(Signals(AUDIO, EXPRESSION), extend="loop").frames == 20
    assert plan(Signals(AUDIO, EXPRESSION), max_frames=7).frames == 7


def test_without_a_choice_each_of_two_signals_owns_its_region() -> None:
    signals, alone = Signals(AUDIO, EXPRESSION), Signals(AUDIO)
    masks, paper = plan(signals).masks, plan(signals, regions=RegionChoice("paper")).masks
    assert all(torch.equal(masks[name], paper[name]) for name in masks)
    assert not torch.minimum(masks["audio"], masks["expression"]).any()
    assert torch.equal(plan(alone).masks["audio"], plan(signals, regions=FACE).masks["audio"])


FACE = RegionChoice("face")


@pytest.mark.parametrize("region", ["face", torch.ones(1, 1, 64, 64)])
def test_a_region_is_written_or_drawn_in_place_of_the_style_s(region: Any) -> None:
    masks = plan(Signals(AUDIO, EXPRESSION), regions=RegionChoice(audio=region)).masks
    paper = plan(Signals(AUDIO, EXPRESSION)).masks
    assert masks["audio"].sum() > paper["audio"].sum()
    assert torch.equal(masks["expression"], paper["expression"])


def test_only_drawn_regions_grow() -> None:
    mask = plan(Signals(AUDIO, EXPRESSION)).masks["audio"]
    larger = plan(Signals(AUDIO, EXPRESSION), regions=RegionChoice(grow_px=4)).masks["audio"]
    choice = RegionChoice(audio=mask, grow_px=4)
    assert larger.sum() > mask.sum()
    assert torch.equal(plan(Signals(AUDIO, EXPRESSION), regions=choice).masks["audio"], mask)


@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_the_model_s_own_factor_moves_the_masks_of_the_face(factor: float) -> None:
    sampling = replace(SamplingConfig(), face_enlarged=factor)
    video = plan_video(
        prepare_portrait(torch.rand(3, 64, 64), Face((24, 24, 40, 40), 1.0), 64),
        Signals(AUDIO),
        sampling,
    )
    assert video.masks["audio"].sum() == (16 * factor) ** 2


def test_the_frame_rate_is_the_model_s_own_unless_it_is_given() -> None:
    assert plan(Signals(AUDIO), fps=None).fps == SamplingConfig().fps
    assert plan(Signals(AUDIO), fps=20.0).fps == 20.0


@pytest.mark.parametrize(
    "choice", [{"style": "thirds"}, {"audio": "nose"}, {"expression": "lips+"}, {"grow_px": 10**9}]
)
def test_regions_that_cannot_be_drawn_are_refused_at_once(choice: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        RegionChoice(**choice)


@pytest.mark.parametrize("count", [2, 14])
def test_masks_of_other_lengths_are_refused(count: int) -> None:
    masks = RegionChoice(audio=torch.ones(count, 1, 64, 64))
    with pytest.raises(InputError, match=rf"expected 1 or 15 .* got {count}"):
        plan(Signals(AUDIO, EXPRESSION), regions=masks)


def test_longer_masks_are_cut_to_the_video() -> None:
    masks = torch.zeros(20, 1, 64, 64)
    masks[::2] = 1
    video = plan(Signals(AUDIO, EXPRESSION), regions=RegionChoice(expression=masks))
    assert torch.equal(video.masks["expression"], masks[:15])
