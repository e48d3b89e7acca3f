"""What links and API graphs bring to a socket that is of another kind."""

from typing import Any

import pytest
import torch
from helpers.host import Comfy


def read_refusal(comfy: Comfy, name: str, **inputs: Any) -> str:
    with pytest.raises(comfy.core("errors").InputError) as error:
        comfy.call(name, **inputs)
    return str(error.value)


@pytest.mark.parametrize("name", ["audio_curve", "expression_curve"])
@pytest.mark.parametrize("value", ["x", 5, {}])
def test_no_curve(comfy: Comfy, name: str, value: Any) -> None:
    assert "Connect" in read_refusal(comfy, "Gates", **{name: value})


@pytest.mark.parametrize("value", ["x", 5, None])
def test_no_model(comfy: Comfy, value: Any) -> None:
    assert "Load Model" in read_refusal(comfy, "Windows", model=value)


@pytest.mark.parametrize("value", ["x", 5, None])
def test_no_network(comfy: Comfy, value: Any) -> None:
    message = read_refusal(
        comfy,
        "RefineWithTGDM",
        tgdm=value,
        portrait_image=torch.rand(1, 32, 32, 3),
        frames=torch.rand(1, 32, 32, 3),
        motion=None,
    )
    assert "Load TGDM" in message


@pytest.mark.parametrize("value", ["smooth", 5, {}])
def test_no_signal(comfy: Comfy, value: Any) -> None:
    message = read_refusal(comfy, "EditSignal", pose_signal=value)
    assert "pose_signal: expected PoseSignal" in message


SIGNALS = ("ACTALKER_AUDIO_SIGNAL", "ACTALKER_EXPRESSION_SIGNAL", "ACTALKER_POSE_SIGNAL")


def signal_sockets(comfy: Comfy, side: str) -> list[tuple[str, int | str, str]]:
    """Node, output's place or input's id, and type of all that give or take a signal."""
    sockets: list[tuple[str, int | str, str]] = []
    for node in comfy.nodes.NODE_CLASS_MAPPINGS:
        if not node.startswith("ACTalker_"):
            continue
        info = comfy.info(node)
        types = (
            enumerate(info["output"])
            if side == "output"
            else (
                (name, kind) for part in info["input"].values() for name, (kind, *_) in part.items()
            )
        )
        sockets += [(node, place, kind) for place, kind in types if kind in SIGNALS]
    return sockets


def test_a_socket_of_a_signal_has_the_type_of_its_name(comfy: Comfy) -> None:
    inputs, outputs = signal_sockets(comfy, "input"), signal_sockets(comfy, "output")
    assert len(inputs) == 3 * 5 + 3 + 1
    assert len(outputs) == 3 * 3 + 1 + 2 + 1
    sockets = [(name, kind) for _, name, kind in inputs]
    sockets += [(comfy.info(node)["output_name"][place], kind) for node, place, kind in outputs]
    for name, kind in sockets:
        assert name.split("_")[-2:] == kind.lower().split("_")[1:]


def test_a_wire_between_signals_of_two_kinds_is_refused_before_anything_runs(comfy: Comfy) -> None:
    for source, place, source_type in signal_sockets(comfy, "output"):
        for target, name, expected in signal_sockets(comfy, "input"):
            graph = {
                "from": {"class_type": source, "inputs": {}},
                "to": {"class_type": target, "inputs": {name: ["from", place]}},
                "end": {"class_type": "PreviewAny", "inputs": {"source": ["to", 0]}},
            }
            ran = comfy.queue(graph)
            assert not ran.ran, (source, target)
            mismatch = f"received_type({source_type}) mismatch input_type({expected})"
            is_refused = mismatch in ran.message
            assert is_refused == (source_type != expected), (source, target, ran.message)


@pytest.mark.parametrize("value", ["x", 5, None, []])
def test_no_conditioning(comfy: Comfy, models: Any, value: Any) -> None:
    message = read_refusal(comfy, "Guider", model=models[0], conditioning=value)
    assert "node Conditioning" in message


def test_no_frame_to_decode(comfy: Comfy, models: Any) -> None:
    message = read_refusal(
        comfy, "Decode", vae=models[2], latent={"samples": torch.zeros(0, 4, 8, 8)}
    )
    assert "all of 1 or more" in message


@pytest.mark.parametrize(
    ("name", "widget"),
    [("LoadModel", "checkpoint"), ("LoadTGDM", "checkpoint"), ("LoadSignals", "signals_file")],
)
def test_a_linked_name_is_no_reason_for_a_warning(
    comfy: Comfy, name: str, widget: str, caplog: pytest.LogCaptureFixture
) -> None:
    """ComfyUI asks whether a file changed before it knows what a link brings."""
    node = comfy.nodes.NODE_CLASS_MAPPINGS[f"ACTalker_{name}"]
    first, again = (node.fingerprint_inputs(**{widget: None}) for _ in range(2))
    assert first == again
    assert not caplog.records


@pytest.mark.parametrize("box", ["0,0,1000000,1000000", "-1e300,0,1e300,10"])
def test_a_box_far_beyond_the_picture(comfy: Comfy, box: str) -> None:
    message = read_refusal(
        comfy, "PreparePortrait", image=torch.rand(1, 32, 32, 3), short_side_px=64, face_box=box
    )
    assert "Face box" in message
