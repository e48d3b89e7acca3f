"""The whole trip as one node and as many: what runs, what does not, what comes out."""

from typing import Any

import pytest
import torch
from helpers.graphs import (
    FPS,
    FRAMES,
    Graph,
    assert_clip,
    read_video,
    run_graph,
    value,
)
from helpers.host import Comfy

# The whole trip ----------------------------------------------------------------------------------


def test_talk_alone_makes_a_clip_and_its_sound(comfy: Comfy, talk: Any) -> None:
    run = run_graph(comfy, talk(audio=True, driving=True))
    assert "talk" in run.ran
    assert_clip(value(comfy, "talk"))
    assert value(comfy, "talk", 1)["waveform"].shape == (1, 1, round(FRAMES / FPS * 16_000))
    assert value(comfy, "talk", 2) == FPS


def test_talk_follows_speech_alone(comfy: Comfy, talk: Any) -> None:
    run_graph(comfy, talk(audio=True, driving=False))
    assert_clip(value(comfy, "talk"))


def test_talk_follows_a_driving_clip_alone(comfy: Comfy, talk: Any) -> None:
    run_graph(comfy, talk(audio=False, driving=True))
    assert_clip(value(comfy, "talk"))
    assert value(comfy, "talk", 1) is None


@pytest.mark.parametrize("audio", [True, False])
def test_talk_s_outputs_make_a_video(comfy: Comfy, talk: Any, node: Any, audio: bool) -> None:
    graph = talk(audio=audio, driving=True)
    graph["video"] = node("CreateVideo", images=["talk", 0], fps=["talk", 2], audio=["talk", 1])
    graph["save"] = node(
        "SaveVideo", video=["video", 0], filename_prefix="graphs/talk", format="auto", codec="auto"
    )
    run_graph(comfy, graph)
    _, _, sound = read_video(comfy, "talk")
    assert (sound is not None) == audio


def test_talk_without_anything_that_drives_says_so(comfy: Comfy, talk: Any) -> None:
    run = comfy.queue(talk(audio=False, driving=False))
    assert not run.success
    assert "expected audio or driving_frames" in run.message
    assert "Connect speech, a clip, or both" in run.message


@pytest.mark.parametrize("extend", ["hold", "loop", "ping-pong"])
def test_a_short_clip_is_made_longer(comfy: Comfy, talk: Any, extend: str) -> None:
    graph = talk(audio=True, driving=True, extend=extend)
    graph["driving"]["inputs"]["amount"] = 3
    run_graph(comfy, graph)
    assert_clip(value(comfy, "talk"))


def test_a_short_clip_ends_the_video(comfy: Comfy, talk: Any) -> None:
    graph = talk(audio=True, driving=True)
    graph["driving"]["inputs"]["amount"] = 3
    run_graph(comfy, graph)
    assert_clip(value(comfy, "talk"), 3)


def test_talk_gives_what_the_separate_nodes_give(comfy: Comfy, talk: Any, separate: Graph) -> None:
    run_graph(comfy, talk(audio=True, driving=True, seed=5))
    expected = value(comfy, "talk")
    separate["sampler"]["inputs"] |= {"seed": 5, "model": ["load", 0]}
    run_graph(comfy, separate)
    assert torch.allclose(value(comfy, "decode"), expected, atol=1e-5)


@pytest.mark.parametrize("signals", [("audio_signal",), ("expression_signal",), ("pose_signal",)])
def test_any_single_signal_is_enough(
    comfy: Comfy, separate: Graph, signals: tuple[str, ...]
) -> None:
    inputs = separate["conditioning"]["inputs"]
    for name in ("audio_signal", "expression_signal", "pose_signal"):
        if name not in signals:
            del inputs[name]
    run_graph(comfy, separate)
    assert_clip(value(comfy, "decode"))


# What is computed again --------------------------------------------------------------------------


def test_the_same_graph_queued_twice_computes_nothing(comfy: Comfy, separate: Graph) -> None:
    run_graph(comfy, separate)
    assert run_graph(comfy, separate).ran == []


def test_the_same_talk_queued_twice_computes_nothing(comfy: Comfy, talk: Any) -> None:
    graph = talk(audio=True, driving=True, seed=3)
    assert "talk" in run_graph(comfy, graph).ran
    assert run_graph(comfy, graph).ran == []


def test_a_changed_gate_computes_only_what_depends_on_it(comfy: Comfy, separate: Graph) -> None:
    run_graph(comfy, separate)
    separate["curve"]["inputs"]["curve_text"] = "1 1 0"
    run = run_graph(comfy, separate)
    dependent = {"curve", "gates", "conditioning", "sampler", "decode", "video", "save"}
    assert set(run.ran) == dependent


def test_a_changed_seed_computes_only_what_depends_on_it(comfy: Comfy, separate: Graph) -> None:
    run_graph(comfy, separate)
    separate["sampler"]["inputs"]["seed"] = 99
    assert set(run_graph(comfy, separate).ran) == {"sampler", "decode", "video", "save"}
