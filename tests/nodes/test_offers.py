"""What newer ComfyUI shows of a node and takes into it; older versions load the nodes as ever."""

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from helpers.host import Comfy

NODES_BY_SEARCH = {
    "lip sync": {"Talk", "EncodeAudio"},
    "talking head": {"Talk", "Sampler"},
    "audio driven": {"Talk", "EncodeAudio"},
    "portrait animation": {"Talk", "Conditioning"},
    "face reenactment": {"Talk", "EncodeMotion"},
    "face mask": {"RegionMasks"},
    "keyframes": {"Curve"},
    "vram": {"Preflight"},
}
ADVANCED_WIDGETS = {
    "LoadModel": ["dtype", "scan_backend"],
    "Talk": ["fps", "extend", "face_index", "allow_photograph"],
    "Windows": ["shift_frames", "mode"],
    "Preflight": ["appearance_scale_end", "audio_scale_end", "expression_scale_end"],
}
CURVE_INPUTS = {"Gates": ["audio_curve", "expression_curve"], "MixSignals": ["curve"]}
HILL = {"points": [[0, 0], [0.5, 1], [1, 0.2]], "interpolation": "linear"}


def node_ids(comfy: Comfy) -> list[str]:
    return [name for name in comfy.nodes.NODE_CLASS_MAPPINGS if name.startswith("ACTalker_")]


def inputs_of(comfy: Comfy, name: str) -> dict[str, Any]:
    kinds = comfy.info(f"ACTalker_{name}")["input"]
    return {**kinds.get("required", {}), **kinds.get("optional", {})}


@pytest.fixture
def io(comfy: Comfy) -> Any:
    from comfy_api.latest import io

    return io


# What is shown -----------------------------------------------------------------------------------


def test_a_search_for_what_artists_call_it_finds_the_node(comfy: Comfy, io: Any) -> None:
    if "search_aliases" not in io.Schema.__dataclass_fields__:
        assert all("search_aliases" not in comfy.info(name) for name in node_ids(comfy))
        return
    aliases = {name: comfy.info(name)["search_aliases"] for name in node_ids(comfy)}
    assert all(aliases.values())
    for words, nodes in NODES_BY_SEARCH.items():
        names = {name.removeprefix("ACTalker_") for name in aliases if words in aliases[name]}
        assert nodes <= names, words


def test_the_shortest_way_to_a_video_is_among_the_essential_nodes(comfy: Comfy, io: Any) -> None:
    key = "essentials_category"
    is_supported = key in io.Schema.__dataclass_fields__
    categories = {name: comfy.info(name).get(key) for name in node_ids(comfy)}
    essential = {name for name, category in categories.items() if category == "Video Generation"}
    assert essential == ({"ACTalker_Talk"} if is_supported else set())


def test_what_a_beginner_does_not_need_is_folded_away(comfy: Comfy, io: Any) -> None:
    is_supported = "advanced" in inspect.signature(io.Int.Input.__init__).parameters
    for name, expected in ADVANCED_WIDGETS.items():
        inputs = inputs_of(comfy, name).items()
        names = [key for key, (_, options) in inputs if options.get("advanced")]
        assert names == (expected if is_supported else []), name


def test_a_node_that_folds_an_input_away_which_it_has_not_is_refused(comfy: Comfy) -> None:
    make = comfy.node_module("common.sockets").schema
    with pytest.raises(ValueError, match=r"expected ids of its inputs.*\['depth'\]"):
        make("Any", "room", "", [], [], aliases=[], advanced=["depth"])


# CURVE -------------------------------------------------------------------------------------------


def test_a_curve_of_comfyui_goes_where_a_curve_of_the_pack_goes(comfy: Comfy, io: Any) -> None:
    expected = "ACTALKER_CURVE,CURVE" if hasattr(io, "Curve") else "ACTALKER_CURVE"
    for name, keys in CURVE_INPUTS.items():
        for key in keys:
            assert inputs_of(comfy, name)[key][0] == expected


@pytest.fixture
def draw_curve(comfy: Comfy, io: Any) -> Any:
    """What ComfyUI's own editor gives for a curve drawn in it."""
    if not hasattr(io, "Curve"):
        pytest.skip("This ComfyUI has no CURVE.")
    editor = comfy.nodes.NODE_CLASS_MAPPINGS["CurveEditor"]

    def draw(curve: Any) -> Any:
        return editor.EXECUTE_NORMALIZED(curve=curve).args[0]

    return draw


def test_a_drawn_curve_lies_over_the_whole_clip(comfy: Comfy, draw_curve: Any) -> None:
    audio, expression = comfy.call("Gates", audio_curve=draw_curve(HILL))[0]
    torch.testing.assert_close(audio.sample(5, 12.5), torch.tensor([0, 0.5, 1, 0.6, 0.2]))
    torch.testing.assert_close(audio.sample(9, 25.0)[::2], audio.sample(5, 12.5))
    assert audio.sample(1, 25.0).tolist() == [0]
    assert expression.sample(2, 25.0).tolist() == [1, 1]


def test_a_smooth_curve_is_the_one_that_the_editor_draws(comfy: Comfy, draw_curve: Any) -> None:
    smooth = draw_curve([[0, 0], [0.3, 0.9], [1, 0.4]])
    curve = comfy.call("Gates", expression_curve=smooth)[0][1].sample(101, 25.0)
    expected = [smooth.interp(i / 100) for i in range(101)]
    np.testing.assert_allclose(curve, expected, atol=1e-6)


def test_what_is_drawn_beyond_0_and_1_is_cut_off(comfy: Comfy, draw_curve: Any) -> None:
    steep = draw_curve({"points": [[0, -1], [1, 2]], "interpolation": "linear"})
    curve = comfy.call("Gates", audio_curve=steep)[0][0].sample(4, 25.0)
    assert curve.tolist() == pytest.approx([0, 0, 1, 1])


@pytest.mark.parametrize("points", [[], [[0, float("nan")]], [[0, 0], [1, float("inf")]]])
def test_a_curve_without_points_or_numbers_is_refused(
    comfy: Comfy, draw_curve: Any, points: list[Any]
) -> None:
    with pytest.raises(comfy.core("errors").InputError, match="finite numbers"):
        comfy.call("Gates", audio_curve=draw_curve(points))


def test_a_drawn_curve_mixes_signals(comfy: Comfy, draw_curve: Any) -> None:
    signals = comfy.core("control.signals")
    low, high = (
        signals.ExpressionSignal(25.0, "made", torch.full((5, 4), value)) for value in (0.0, 2.0)
    )
    signal = comfy.call(
        "MixSignals",
        first_expression_signal=low,
        second_expression_signal=high,
        curve=draw_curve(HILL),
    )[1]
    np.testing.assert_allclose(signal.features[:, 0], [0, 1, 2, 1.2, 0.4], atol=1e-6)


def test_a_curve_drawn_in_the_editor_gates_a_graph(comfy: Comfy, draw_curve: Any) -> None:
    graph = {
        "draw": {"class_type": "CurveEditor", "inputs": {"curve": HILL}},
        "gates": {"class_type": "ACTalker_Gates", "inputs": {"audio_curve": ["draw", 0]}},
        "shown": {"class_type": "PreviewAny", "inputs": {"source": ["gates", 0]}},
    }
    ran = comfy.queue(graph)
    assert ran.success, ran.message
