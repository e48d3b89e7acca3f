"""Videos and signals that graphs write and read."""

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.graphs import (
    FPS,
    FRAMES,
    SECONDS,
    Graph,
    read_video,
    run_graph,
    value,
)
from helpers.host import Comfy, speech


@pytest.mark.parametrize("fps", [FPS, 25.0])
def test_the_written_video_has_the_clip_s_frames_rate_and_sound(
    comfy: Comfy, separate: Graph, fps: float
) -> None:
    separate["conditioning"]["inputs"]["fps"] = fps
    separate["encode_motion"]["inputs"]["signal_fps"] = fps
    run_graph(comfy, separate)
    count = value(comfy, "conditioning", 2)
    assert count == int(FRAMES / FPS * fps)
    frames, rate, sound = read_video(comfy, "separate")
    assert frames == count
    assert rate == pytest.approx(fps, rel=1e-3)
    assert sound == pytest.approx(count / fps, abs=1024 / 16_000)


def test_saved_signals_are_listed_and_load_as_they_were(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    signals = {
        "audio_signal": ["encode_audio", 0],
        "expression_signal": ["encode_motion", 0],
        "pose_signal": ["encode_motion", 1],
    }
    separate["keep"] = node("SaveSignals", filename_prefix="graphs/kept", **signals)
    run_graph(comfy, separate)
    signals_before = [value(comfy, name, slot) for name, slot in signals.values()]
    file = Path(value(comfy, "keep"))
    assert file.is_file()
    entry = f"{file.relative_to(comfy.base / 'output')} [output]"
    names = comfy.info("ACTalker_LoadSignals")["input"]["required"]["signals_file"]
    assert entry in (names[1]["options"] if len(names) > 1 else names[0])
    again = node("LoadSignals", signals_file=entry)
    separate |= {"again": again}
    for slot, name in enumerate(signals):
        separate["conditioning"]["inputs"][name] = ["again", slot]
    expected = value(comfy, "sampler")["samples"]
    run_graph(comfy, separate)
    for slot, signal in enumerate(signals_before):
        signal_again = value(comfy, "again", slot)
        assert type(signal_again) is type(signal)
        assert signal_again.rate_hz == signal.rate_hz
        for name, track in signal.tracks.items():
            assert torch.equal(signal_again.tracks[name], track)
    assert torch.equal(value(comfy, "sampler")["samples"], expected)


def test_signals_are_saved_under_a_new_name_each_time(comfy: Comfy, models: Any) -> None:
    audio = comfy.call("EncodeAudio", encoders=models[1], audio=speech(SECONDS))[0]
    inputs = {"filename_prefix": "graphs/twice", "audio_signal": audio}
    paths = {comfy.call("SaveSignals", **inputs)[0] for _ in range(3)}
    assert len(paths) == 3
    assert all(Path(path).is_file() for path in paths)


def test_signals_may_stand_in_the_input_folder(comfy: Comfy, models: Any, node: Any) -> None:
    audio = comfy.call("EncodeAudio", encoders=models[1], audio=speech(SECONDS))[0]
    path = comfy.call("SaveSignals", filename_prefix="graphs/moved", audio_signal=audio)[0]
    (comfy.base / "input" / "moved.safetensors").write_bytes(Path(path).read_bytes())
    values = comfy.call("LoadSignals", signals_file="moved.safetensors")
    assert torch.equal(values[0].states, audio.states)
    assert values[1:] == (None, None)


def test_a_file_of_signals_that_was_replaced_is_read_again(
    comfy: Comfy, models: Any, node: Any
) -> None:
    file = comfy.base / "input" / "replaced.safetensors"
    graph = {
        "load": node("LoadSignals", signals_file=file.name),
        "save": node("SaveSignals", filename_prefix="graphs/copy", audio_signal=["load", 0]),
    }
    for seconds in (0.5, 0.75):
        audio = comfy.call("EncodeAudio", encoders=models[1], audio=speech(seconds))[0]
        path = comfy.call("SaveSignals", filename_prefix="graphs/source", audio_signal=audio)[0]
        file.write_bytes(Path(path).read_bytes())
        assert "load" in run_graph(comfy, graph).ran
        assert value(comfy, "load").seconds == pytest.approx(audio.seconds)
    assert run_graph(comfy, graph).ran == []
