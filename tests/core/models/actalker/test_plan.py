"""Signals, gates and regions laid over a clip."""

import pytest
import torch

from actalker_core.control.curves import Curve, DrawnCurve
from actalker_core.control.signals import AudioSignal, ExpressionSignal, Signals
from actalker_core.errors import InputError
from actalker_core.faces import Face
from actalker_core.faces.portrait import prepare_portrait
from actalker_core.media import Audio
from actalker_core.models.actalker.plan import Inputs, Plan, Settings, lay_out

FPS = 10.0
PORTRAIT = prepare_portrait(torch.rand(3, 64, 64), Face((8, 8, 56, 56), 1.0), 64)
AUDIO = AudioSignal(50.0, "speech", torch.zeros(100, 2, 3))
EXPRESSION = ExpressionSignal(10.0, "clip", torch.zeros(15, 4))
BEAT = Audio(torch.cat([torch.ones(1, 8000), torch.zeros(1, 8000)], dim=1).numpy(), 8000)


def laid(signals: Signals, **settings: object) -> Plan:
    return lay_out(PORTRAIT, signals, Inputs(PORTRAIT.image), Settings(**settings), FPS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"audio_gate": "0"}, {"audio_gate": Curve("0:0, 1:0"), "expression_gate": "1"}]
)
def test_a_clip_that_nothing_drives_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"Both gates are 0.*Open the gate"):
        laid(Signals(audio=AUDIO), **settings)


def test_one_open_gate_is_enough() -> None:
    planned = laid(Signals(AUDIO, EXPRESSION), audio_gate="0")
    assert not planned.gates["audio"].any()
    assert planned.gates["expression"].all()


def test_a_curve_follows_its_own_sound() -> None:
    curve = Curve("envelope attack=0 release=0", BEAT)
    planned = laid(Signals(AUDIO, EXPRESSION), audio_gate=curve)
    assert planned.gates["audio"].tolist() == [1.0] * 10 + [0.0] * 5


def test_a_drawn_curve_gates_as_a_written_one() -> None:
    planned = laid(Signals(AUDIO, EXPRESSION), expression_gate=DrawnCurve(lambda places: places))
    torch.testing.assert_close(planned.gates["expression"], torch.linspace(0, 1, 15))


def test_the_shortest_signal_ends_the_clip_unless_it_is_extended() -> None:
    assert laid(Signals(AUDIO, EXPRESSION)).frames == 15
    assert laid(Signals(AUDIO, EXPRESSION), extend="loop").frames == 20
    assert laid(Signals(AUDIO, EXPRESSION), frames=7).frames == 7
