"""Words, the monitor, preflight and edited signals."""

import importlib
import re
from typing import Any

import pytest
import torch
from helpers.graphs import (
    FRAMES,
    Graph,
    assert_clip,
    run_graph,
    value,
)
from helpers.host import Comfy


def test_words_choose_moments_of_a_driving_clip(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate |= {
        "bank": node(
            "BankOfSignal",
            expression_signal=["encode_motion", 0],
            moments="0: neutral; 0.3: joyful",
        ),
        "words": node(
            "TextExpression",
            bank=["bank", 0],
            encoders=["load", 1],
            text="0s: neutral; 0.2s: happy",
        ),
    }
    separate["conditioning"]["inputs"]["expression_signal"] = ["words", 0]
    run_graph(comfy, separate)
    assert_clip(value(comfy, "decode"))
    assert value(comfy, "words").seconds == pytest.approx(4.0)


def test_words_choose_pictures_of_a_bank(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate |= {
        "grey": node("EmptyImage", width=80, height=96, batch_size=1, color=0x808080),
        "faces": node("ImageBatch", image1=["picture", 0], image2=["grey", 0]),
        "bank": node(
            "ExpressionBank",
            encoders=["load", 1],
            images=["faces", 0],
            captions="joyful\nneutral",
            face="whole picture",
        ),
        "words": node(
            "TextExpression", bank=["bank", 0], encoders=["load", 1], text="0s: neutral; 2s: joyful"
        ),
        "watched": node(
            "EncodeMotion", encoders=["load", 1], frames=["grey", 0], face="whole picture"
        ),
        "shown": node(
            "SaveSignals", filename_prefix="graphs/words", expression_signal=["words", 0]
        ),
        "reference": node(
            "SaveSignals", filename_prefix="graphs/words", expression_signal=["watched", 0]
        ),
    }
    run_graph(comfy, separate)
    words, neutral = value(comfy, "words"), value(comfy, "watched")
    assert torch.allclose(words.features[0], neutral.features[0], atol=1e-4)
    assert (words.features[-1] - neutral.features[0]).abs().max() > 1e-4


def test_the_monitor_draws_a_picture(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["monitor"] = node(
        "SignalMonitor",
        encoders=["load", 1],
        portrait=["portrait", 0],
        audio_signal=["encode_audio", 0],
        expression_signal=["encode_motion", 0],
        pose_signal=["encode_motion", 1],
        audio=["sound", 0],
        gates=["gates", 0],
        audio_mask=["regions", 0],
        expression_mask=["regions", 1],
    )
    separate["preview"] = node("PreviewImage", images=["monitor", 0])
    run_graph(comfy, separate)
    picture = value(comfy, "monitor")
    assert picture.ndim == 4
    assert picture.shape[0] == 1
    assert picture.shape[3] == 3
    assert min(picture.shape[1:3]) > 64
    assert picture.std() > 0.01
    separate["curve"]["inputs"]["curve_text"] = "0 0 0 1"
    run_graph(comfy, separate)
    assert not torch.equal(value(comfy, "monitor"), picture)


@pytest.mark.parametrize("curve", ["1", "1 1 1 1 0"])
@pytest.mark.parametrize("mode", ["tight", "cyclic"])
def test_preflight_names_the_evaluations_that_are_made(
    comfy: Comfy, separate: Graph, node: Any, curve: str, mode: str
) -> None:
    separate["windows"]["inputs"] |= {"window_frames": 3, "overlap_frames": 1, "mode": mode}
    separate["curve"]["inputs"]["curve_text"] = curve
    separate["sampler"]["inputs"] |= {"appearance_scale_end": 1.0, "steps": 3}
    scales = {k: v for k, v in separate["sampler"]["inputs"].items() if "_scale_" in k}
    separate["cost"] = node(
        "Preflight",
        model=["windows", 0],
        conditioning=["conditioning", 0],
        steps=3,
        measure_time=False,
        **scales,
    )
    calls = count_evaluations(comfy, separate)
    report = value(comfy, "cost")
    assert int(re.search(r"(\d+) evaluations", report).group(1)) == calls
    assert f"{FRAMES} frames" in report


def count_evaluations(comfy: Comfy, graph: Graph) -> int:
    """How many passes the UNet runs."""
    unet = importlib.import_module(f"{comfy.package}.actalker_core.models.actalker.unet.unet").UNet
    calls, forward = [], unet.forward

    def note(self: Any, *arguments: Any) -> Any:
        output = forward(self, *arguments)
        calls.append(len(output))
        return output

    unet.forward = note
    try:
        run_graph(comfy, graph)
    finally:
        unet.forward = forward
    return sum(calls)


def test_preflight_measures_a_time(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["cost"] = node(
        "Preflight", model=["windows", 0], conditioning=["conditioning", 0], steps=2
    )
    run_graph(comfy, separate)
    assert re.search(r"about \d+ min \d+ s \(\d+\.\d\d s per", value(comfy, "cost"))


def test_edited_and_mixed_signals_drive(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate |= {
        "later": node(
            "EditSignal",
            expression_signal=["encode_motion", 0],
            pose_signal=["encode_motion", 1],
            edit="smooth",
            value=0.2,
        ),
        "mixed": node(
            "MixSignals",
            first_expression_signal=["encode_motion", 0],
            second_expression_signal=["later", 1],
        ),
    }
    separate["conditioning"]["inputs"]["expression_signal"] = ["mixed", 1]
    separate["conditioning"]["inputs"]["pose_signal"] = ["later", 2]
    run_graph(comfy, separate)
    assert_clip(value(comfy, "decode"))
