"""Numbers by hand: names that move the right numbers, over time, and errors that say where."""

import pytest
import torch
from helpers.edits import EXPECTED_GOT, quick
from helpers.signals import is_same
from hypothesis import given
from hypothesis import strategies as st

from actalker_core.control.motion.columns import COLUMNS
from actalker_core.control.motion.groups import find_moving_groups
from actalker_core.control.motion.hand import (
    CONTROLS,
    count_key_frames,
    move_by_hand,
    move_by_keys,
    move_by_text,
    parse_numbers,
)
from actalker_core.control.motion.signal import MotionSignal
from actalker_core.errors import InputError


def course(signal: MotionSignal, name: str) -> list[float]:
    track, column = COLUMNS[name]
    values: list[float] = signal.tracks[track][:, column].tolist()
    return values


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_at_rest_changes_nothing(name: str) -> None:
    assert find_moving_groups(move_by_hand({name: CONTROLS[name].rest})) == ()


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_moves_what_it_lists_and_nothing_else(name: str) -> None:
    control = CONTROLS[name]
    signal = move_by_hand({name: control.rest + 0.5})
    for column in COLUMNS:
        expected = 0.5 * control.effects.get(column, 0) + (column == "head_scale")
        assert course(signal, column)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("pitch", {"head"}),
        ("scale", {"head"}),
        ("blink_left", {"eyes"}),
        ("gaze_x", {"gaze"}),
        ("brows", {"brows"}),
        ("aaa", {"mouth"}),
        ("pucker", {"mouth"}),
    ],
)
def test_a_control_stays_in_its_group(name: str, groups: set[str]) -> None:
    assert set(find_moving_groups(move_by_hand({name: 0.5}))) == groups


def test_signs_are_those_of_the_viewer() -> None:
    signal = move_by_hand({"move_y": 0.5, "gaze_y": 0.4, "gaze_x": -0.3})
    assert course(signal, "down") == [-0.5]
    assert signal.gaze.tolist() == [pytest.approx([-0.3, 0.4, -0.3, 0.4])]


def test_a_side_that_does_less_does_the_opposite() -> None:
    assert course(move_by_hand({"brows": -1}), "browDownLeft") == [1]
    assert course(move_by_hand({"smile": -1}), "mouthFrownLeft") == [pytest.approx(0.8)]
    assert course(move_by_hand({"wink": -1}), "eyeBlinkRight") == [1]


def test_effects_of_several_controls_are_added() -> None:
    signal = move_by_hand({"aaa": 0.5, "jawOpen": 0.1})
    assert course(signal, "jawOpen") == [
        pytest.approx(0.5 * CONTROLS["aaa"].effects["jawOpen"] + 0.1)
    ]


def test_a_text_at_once_is_the_same_as_the_numbers() -> None:
    signal = move_by_text("smile=0.5 yaw=-10", 3, 25.0)
    still = move_by_hand({"smile": 0.5, "yaw": -10}).sample(3, 25.0)
    for name, track in signal.tracks.items():
        assert torch.equal(track, still.tracks[name])


def test_numbers_in_words_are_values_by_name() -> None:
    assert parse_numbers("smile=0.5, yaw=-10  anger=1") == {"smile": 0.5, "yaw": -10, "anger": 1}
    assert parse_numbers("  ") == {}
    for text, expected in (("smile=3", "-2 to 2"), ("grin=1", "one of"), ("yaw=1 yaw=2", "once")):
        with pytest.raises(InputError, match=expected):
            parse_numbers(text)


def test_each_number_moves_between_the_times_that_name_it() -> None:
    text = "0s: jawOpen=0 yaw=10; 0.4s: jawOpen=1 hold; 0.8s: jawOpen=0\n30f: yaw=40"
    signal = move_by_text(text, 40, 25.0)
    jaw, yaw = course(signal, "jawOpen"), course(signal, "yaw")
    assert jaw[5] == pytest.approx(0.5)
    assert jaw[10:20] == [1] * 10
    assert jaw[20:] == [0] * 20
    assert yaw[15] == pytest.approx(25)
    assert yaw[30:] == [40] * 10


def test_an_ease_starts_slowly() -> None:
    jaw = course(move_by_text("0s: jawOpen=0 ease; 1s: jawOpen=1", 25, 25.0), "jawOpen")
    assert jaw[3] < 3 / 25
    assert jaw[22] > 22 / 25


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("", 1),
        ("smile", 1),
        ("smile=", 7),
        ("smile=x", 7),
        ("smile=nan", 7),
        ("smirk=1", 1),
        ("yaw=10 smile=9", 14),
        ("0s: smile=1; 1s:", 17),
        ("0s: smile=1; smile=0", 14),
        ("0s: smile=1; -1s: smile=0", 14),
        ("0s: smile=1; 0f: smile=0", 18),
        ("smile=1 smile=2", 9),
        ("0s: ease", 5),
        ("_neutral=1", 1),
    ],
)
def test_a_text_that_cannot_be_read_says_where(text: str, character: int) -> None:
    with pytest.raises(
        InputError, match=rf"(?s)Numbers .*expected .* at character {character}, got"
    ):
        move_by_text(text, 10, 25.0)


@quick
@given(
    st.text(max_size=12)
    | st.lists(st.sampled_from([*"=;: ,", "yaw", "smile", "1", "0.5", "ease", "2s", "é"])).map(
        "".join
    )
)
def test_any_text_is_motion_or_an_input_error(text: str) -> None:
    try:
        result: MotionSignal | str = move_by_text(text, 5, 25.0)
    except InputError as error:
        result = str(error)
    assert isinstance(result, MotionSignal) or "xpected" in result


@pytest.mark.parametrize("values", [{"nose": 1.0}, {"yaw": 91.0}, {"smile": float("nan")}])
def test_numbers_that_no_hand_can_set(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        move_by_hand(values)


def test_no_number_is_rest() -> None:
    assert is_same(move_by_hand({}), MotionSignal.rest(1, 1.0, "by hand"))


@pytest.mark.parametrize(
    ("name", "column", "sign"),
    [
        ("eyeLookUpLeft", "left_gaze_y", 1),
        ("eyeLookDownRight", "right_gaze_y", -1),
        ("eyeLookOutLeft", "left_gaze_x", 1),
        ("eyeLookInLeft", "left_gaze_x", -1),
        ("eyeLookOutRight", "right_gaze_x", -1),
        ("eyeLookInRight", "right_gaze_x", 1),
    ],
)
def test_a_look_of_arkit_turns_the_eye(name: str, column: str, sign: int) -> None:
    track, index = COLUMNS[column]
    result = move_by_hand({name: 1.0}).tracks[track][0]
    assert result[index] == pytest.approx(0.6 * sign)
    assert result.count_nonzero() == 1


NUMBERS = st.fixed_dictionaries(
    {},
    optional={
        "yaw": st.integers(-30, 30),
        "smile": st.sampled_from([-1, 0.25, 1]),
        "scale": st.just(1.5),
    },
).filter(bool)


@quick
@given(
    st.dictionaries(st.integers(0, 40), NUMBERS, min_size=1, max_size=4),
    st.sampled_from(["", " linear", " hold", " ease"]),
)
def test_keys_are_reached_and_end_the_motion(keys: dict[int, dict[str, float]], ease: str) -> None:
    text = "; ".join(
        f"{frame / 25:g}s: " + " ".join(f"{name}={value}" for name, value in numbers.items()) + ease
        for frame, numbers in keys.items()
    )
    motion = move_by_keys(text, 25.0)
    assert len(motion) == count_key_frames(text, 25.0) == max(keys) + 1
    longer = move_by_text(text, len(motion) + 5, 25.0)
    for name, track in motion.tracks.items():
        assert torch.equal(longer.tracks[name][: len(motion)], track)
        assert torch.equal(longer.tracks[name][len(motion)], track[-1])
    for frame, numbers in keys.items():
        if "yaw" in numbers:
            assert course(motion, "yaw")[frame] == numbers["yaw"]


def test_keys_without_a_time_are_one_frame() -> None:
    assert len(move_by_keys("smile=0.5", 25.0)) == 1


def test_keys_for_days_are_refused() -> None:
    with pytest.raises(InputError, match=EXPECTED_GOT):
        move_by_keys("0s: smile=1; 1e7s: smile=0", 25.0)
