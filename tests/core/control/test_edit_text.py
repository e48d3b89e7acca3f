"""Edits as people write them."""

import contextlib

import pytest
import torch
from helpers.edits import EXPECTED_GOT, quick
from helpers.signals import is_same, make_signals, pose
from hypothesis import example, given
from hypothesis import strategies as st

from actalker_core.control.edits import EDITS, Edit, check_values, parse_edit
from actalker_core.control.signals import Signals
from actalker_core.errors import InputError

TEXTS = {
    "trim": ("0.2:0.6", lambda s: s.trim(0.2, 0.6)),
    "resample": ("30", lambda s: s.resample(30)),
    "loop": ("2.5", lambda s: s.loop(2.5)),
    "ping-pong": ("2.5", lambda s: s.ping_pong(2.5)),
    "hold": ("2.5", lambda s: s.hold(2.5)),
    "offset": ("-0.2", lambda s: s.offset(-0.2)),
    "scale": ("0.5:0.2", lambda s: s.scale(0.5, 0.2)),
    "smooth": ("0.3", lambda s: s.smooth(0.3)),
}


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("kind", [None, "audio", "expression", "pose"])
@pytest.mark.parametrize("form", ["{}{}={}", " {} {} = {} "])
def test_every_written_edit_changes_what_it_names(name: str, kind: str | None, form: str) -> None:
    value, change = TEXTS[name]
    before = make_signals()
    after = parse_edit(form.format(f"{kind}." if kind else "", name, value))(before)
    for signal_kind, signal in before.present.items():
        if kind in (None, signal_kind):
            assert is_same(after.present[signal_kind], change(signal))
        else:
            assert after.present[signal_kind] is signal


def test_smoothing_the_pose_leaves_the_rest() -> None:
    before = make_signals()
    after = parse_edit("pose.smooth=0.2")(before)
    assert after.audio is before.audio
    assert after.expression is before.expression
    assert not torch.equal(after.present["pose"].tracks["translation"], pose().translation)


@pytest.mark.parametrize("kind", ["audio", "expression", "pose"])
def test_a_signal_that_is_not_there_cannot_be_edited(kind: str) -> None:
    rest = {name: s for name, s in make_signals().present.items() if name != kind}
    with pytest.raises(
        InputError, match=f"Edit of {kind}: expected one of.*{' '.join(rest).replace(' ', '.*')}"
    ):
        parse_edit(f"{kind}.smooth=0.2")(Signals(**rest))


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("", 1),
        ("smooth", 1),
        ("  smooth:1", 3),
        ("smooth=", 8),
        ("smooth=a", 8),
        ("smooth = a", 10),
        ("  smooth=nan", 10),
        ("smooth=1e999", 8),
        ("smooth=1:2", 9),
        ("soften=1", 1),
        ("pose.soften=1", 6),
        ("pose . soften = 1", 8),
        ("pose.=1", 6),
        ("nose.smooth=1", 1),
        (" .smooth=1", 2),
        ("pose.audio.smooth=1", 6),
        ("trim=1", 7),
        ("trim=1:b", 8),
        ("trim=1: b c", 9),
        ("trim=1:2:3", 9),
        ("pose.trim=1:2x", 13),
        ("scale=0.5", 10),
    ],
)
def test_an_edit_that_cannot_be_read_says_where(text: str, character: int) -> None:
    with pytest.raises(InputError, match=rf"(?s)Edit .*expected .* at character {character}, got"):
        parse_edit(text)


@pytest.mark.parametrize(
    "text", ["trim=1::2", "trim=:1:2", "trim=1:2:", "smooth=:1", "smooth=1:", "scale=::1:0"]
)
def test_an_edit_with_a_number_left_out_is_not_read(text: str) -> None:
    with pytest.raises(InputError, match=r"expected .* at character \d+, got"):
        parse_edit(text)


@quick
@given(
    st.text(max_size=12)
    | st.lists(st.sampled_from([*EDITS, *"=.:- ", "pose", "audio", "1", "0.5", "é"])).map("".join)
)
def test_any_text_is_an_edit_or_an_input_error(text: str) -> None:
    try:
        result: Edit | str = parse_edit(text)
    except InputError as error:
        result = str(error)
    assert isinstance(result, Edit) or "at character" in result


@pytest.mark.parametrize(
    "text",
    [
        "offset=1e30",
        "resample=1e15",
        "resample=1e308",
        "resample=1e-320",
        "loop=1e308",
        "hold=1e308",
        "ping-pong=-1e308",
        "trim=1e308:2",
        "trim=-1e308:2",
        "scale=1e308:0",
        "scale=1:1e308",
    ],
)
def test_an_absurd_number_ends_in_one_clear_line(text: str) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        parse_edit(text)(make_signals())


def test_the_widest_smoothing_is_refused_or_done() -> None:
    for seconds in ("1e9", "1e300", "1e308"):
        with contextlib.suppress(InputError):
            assert parse_edit(f"smooth={seconds}")(make_signals()).present


@pytest.mark.parametrize(
    ("edit", "values"),
    [
        ("trim", (-1.0, 2.0)),
        ("trim", (2.0, 2.0)),
        ("resample", (0.0,)),
        ("loop", (0.0,)),
        ("ping-pong", (-1.0,)),
        ("hold", (-0.5,)),
        ("scale", (1.0, -0.1)),
        ("smooth", (-0.1,)),
        ("smooth", (601.0,)),
    ],
)
def test_what_no_signal_can_use_is_refused_before_there_is_one(
    edit: str, values: tuple[float, ...]
) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        check_values(edit, values)
    with pytest.raises(InputError):
        Edit(None, edit, values)(make_signals())


@quick
@example("trim", -1 / 128, 1.0)
@given(st.sampled_from(sorted(EDITS)), st.floats(-2, 3), st.floats(0, 3))
def test_a_refused_edit_is_one_that_a_signal_refuses(edit: str, a: float, b: float) -> None:
    values = (a, b)[: EDITS[edit][1]]
    try:
        check_values(edit, values)
    except InputError:
        with pytest.raises(InputError):
            Edit(None, edit, values)(make_signals())
