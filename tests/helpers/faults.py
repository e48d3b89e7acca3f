"""Widgets that cannot be used, and what a node says of each when its graph is queued."""

from typing import Any, NamedTuple

PLACE = "at character {}"
SOURCES = {
    "MODEL": ("LoadModel", 0),
    "ACTALKER_ENCODERS": ("LoadModel", 1),
    "VAE": ("LoadModel", 2),
    "IMAGE": ("DemoMedia", 0),
    "IMAGE,VIDEO": ("DemoMedia", 3),
    "AUDIO": ("DemoMedia", 2),
    "ACTALKER_PORTRAIT": ("PreparePortrait", 0),
    "ACTALKER_IDENTITY": ("EncodeIdentity", 0),
    "ACTALKER_EXPRESSION_SIGNAL": ("EncodeMotion", 0),
    "ACTALKER_BANK": ("BankOfSignal", 0),
    "ACTALKER_MOTION": ("MotionFromIdle", 0),
    "ACTALKER_TGDM": ("LoadTGDM", 0),
    "CONDITIONING": ("Conditioning", 0),
    "LATENT": ("Conditioning", 1),
}
"""Type of a socket -> a node that gives it, and its output."""
SIZE = {"short_side_px": 64}
"""Of a portrait without a model."""
RATE = {"signal_fps": 25.0}
"""Of words without a model."""

Graph = dict[str, Any]


class Fault(NamedTuple):
    """A widget that cannot be used.

    Attributes:
        node, input: where it is.
        values: widgets of the node.
        words: what the message says.
        place: character of the text that it points at; 0 where it is no text.
        links: inputs that something is connected to, besides those that a node requires.
        second_input: another input that is refused, as there is nothing to choose in tests.
    """

    node: str
    input: str
    values: dict[str, Any]
    words: tuple[str, ...] = ()
    place: int = 0
    links: tuple[str, ...] = ()
    second_input: str = ""

    def __str__(self) -> str:
        """For the name of a test."""
        return f"{self.node}-{self.input}-{self.values.get(self.input, '')}"


TEXTS = [
    Fault("Curve", "curve_text", {"curve_text": "0:1 2.5:0 ease"}, ("a comma",), 4),
    Fault("Curve", "curve_text", {"curve_text": "0:1, 2:5"}, ("0 (off) to 1 (full)",), 8),
    Fault("RegionMasks", "audio_region", {"audio_region": "lips+nose"}, ("nose", "lips"), 6),
    Fault("RegionMasks", "audio_region", {"audio_region": "lips+"}, ("got nothing",), 6),
    Fault("RegionMasks", "expression_region", {"expression_region": "eyes-chin"}, ("chin",), 6),
    Fault("RegionMasks", "audio_drawing", {"audio_drawing": "empty; brush 0.1 5,5"}, ("2",), 18),
    Fault("RegionMasks", "expression_drawing", {"expression_drawing": "disc 1"}, ("brush",), 1),
    Fault("PreparePortrait", "face_box", SIZE | {"face_box": "1,2,x,4"}, ("a number",), 5),
    Fault("PreparePortrait", "face_box", SIZE | {"face_box": "1,2,3"}, ("(y1)",), 6),
    Fault("PreparePortrait", "face_box", SIZE | {"face_box": "9,9,3,12"}, ("x1 from 10",), 5),
    Fault("EncodeMotion", "face_box", {"face_box": "0,0,9,123456"}, ("y1 from 1 to",), 7),
    Fault("EncodeMotion", "face_box", {"face_box": "10,20,3o,40"}, ("a number",), 7),
    Fault("AnimatePhoto", "text", {"text": "0s: joy; 2s sad"}, ("time: text",), 10),
    Fault("AnimatePhoto", "text", {"text": "0s: joy; 2s: hapy"}, ("Write happy",), 14),
    Fault("AnimatePhoto", "mix", {"mix": "mouth: radio"}, ("audio",), 8),
    Fault("MotionFromWords", "text", {"text": "0s: joy; 2s:"}, ("a text after",), 13),
    Fault("MotionFromWords", "text", {"text": "quixotic"}, ("quixotic", "surprise"), 1),
    Fault("FaceEditor", "more_numbers", {"more_numbers": "yaw=ten"}, ("a number", "ten"), 5),
    Fault("FaceEditor", "more_numbers", {"more_numbers": "smile=0.5 joy"}, ("name=number",), 11),
    Fault("FaceEditor", "more_numbers", {"more_numbers": "smile=5"}, ("-2 to 2",), 7),
    Fault("FaceEditor", "keys", {"keys": "0s: yaw=0; 1s yaw=9"}, ("time: numbers",), 12),
    Fault(
        "TextExpression",
        "text",
        {"text": "0s: joy; 1s: gloomy", "match_by": "blendshapes"} | RATE,
        ("gloomy", "sadness"),
        14,
    ),
    Fault("TextExpression", "text", RATE | {"text": "0s: joy; 0s: sad"}, ("each time once",), 10),
    Fault("BankOfSignal", "moments", {"moments": "0s: joy, 1s: sad"}, ("a semicolon",), 8),
    Fault("ExpressionBank", "captions", {"captions": "joy\n\nsad"}, ("in 2",)),
    Fault(
        "ConvertCheckpoint", "file_name", {"file_name": "../up"}, ("../up",), second_input="folder"
    ),
    Fault("SaveSignals", "filename_prefix", {"filename_prefix": "/tmp/x"}, ("/tmp/x",)),
    Fault("SaveMotion", "filename_prefix", {"filename_prefix": "../x"}, ("../x",)),
    Fault("TrainPersonal", "file_name", {"file_name": "../me"}, ("../me",)),
]
"""One at least for each text of the pack."""
NUMBERS_AND_CHOICES = [
    Fault("Curve", "curve_text", {"curve_text": "envelope"}, ("connect audio",)),
    Fault("LoadModel", "checkpoint", {"checkpoint": "gone.safetensors"}, ("gone", "expected")),
    Fault("LoadTGDM", "checkpoint", {"checkpoint": "gone.safetensors"}, ("gone", "expected")),
    Fault("RefineWithTGDM", "noise", {"noise": 3.0}, ("0.03 to 2", "3")),
    Fault("FaceSwap", "place", {"place": "mouth"}, ("mouth", "invented")),
    Fault("EditMotion", "edit", {"edit": "crop"}, ("crop", "trim")),
    Fault("PreparePortrait", "expand", SIZE | {"expand": 99.0}, ("1 to 20", "99")),
    Fault("Sampler", "steps", {"steps": 5000}, ("1,000", "5000")),
    Fault("Faster", "guide_to_sigma", {"guide_to_sigma": float("nan")}, ("0 to 1,000", "nan")),
]
FROM_THE_GRAPH = [
    Fault("PreparePortrait", "short_side_px", {"short_side_px": 10}, ("64", "got 10")),
    Fault("PreparePortrait", "short_side_px", {"short_side_px": 100}, ("a multiple of 64",)),
    Fault("PreparePortrait", "short_side_px", {"short_side_px": 0}, ("Connect encoders",)),
    Fault("Talk", "short_side_px", {"short_side_px": 100}, ("a multiple of 64",), links=("audio",)),
    Fault("PreparePortrait", "expand", SIZE | {"expand": 0.5}, ("0 for the whole", "0.5")),
    Fault("PreparePortrait", "aspect", SIZE | {"aspect": 0.1}, ("0.333333 to 3", "0.1")),
    Fault("Conditioning", "fps", {"fps": 0.5}, ("0 for the model's own", "0.5")),
    Fault("EncodeAudio", "max_seconds", {"max_seconds": 0.01}, ("0 for all", "0.01")),
    Fault("TextExpression", "signal_fps", {"signal_fps": 0.0}, ("Connect encoders",)),
    Fault("SignalMonitor", "fps", {"fps": 0.0}, ("Connect encoders",), links=("audio_signal",)),
    Fault("SignalMonitor", "fps", {"fps": 25.0}, ("audio_signal or", "Connect one")),
    Fault("Talk", "model", {}, ("audio or driving_frames", "Connect speech")),
    Fault("MixSignals", "amount", {}, ("Connect both",)),
    Fault("EditSignal", "edit", {"edit": "loop", "value": 1.0}, ("Connect one",)),
    Fault("AnimatePhoto", "idle", {"idle": 0.0}, ("set idle above 0",)),
    Fault("AnimatePhoto", "seconds", {"seconds": 36_000.0}, ("at most 4,000 s", "36,000")),
    Fault("MotionFromIdle", "seconds", {"seconds": 900.0, "motion_fps": 120.0}, ("833.333 s",)),
    Fault("MotionFromWords", "seconds", {"seconds": 4001.0}, ("fewer frames per second",)),
    Fault("TextExpression", "seconds", {"seconds": 0.05, "signal_fps": 1.0}, ("1 s (one value)",)),
    Fault("MotionFromClip", "neutral_seconds", {"neutral_seconds": -0.5}, ("-1 for the calmest",)),
    Fault("Windows", "overlap_frames", {"window_frames": 4, "overlap_frames": 4}, ("below",)),
    Fault("Faster", "guide_to_sigma", {"guide_from_sigma": 1.0, "guide_to_sigma": 2.0}, ("≥",)),
    Fault("EditMotion", "value", {"edit": "trim", "value": 2.0, "second_value": 1.0}, ("after",)),
    Fault("EditMotion", "value", {"edit": "hold", "value": -1.0}, ("above 0 s", "-1")),
    Fault("TrainPersonal", "minutes", {"minutes": 0.001}, ("0 for all steps", "0.001")),
    Fault("RefineWithTGDM", "place", {"place": "invented"}, ("invented_mask", "Connect")),
    Fault("ConvertCheckpoint", "folder", {"folder": "none"}, ("models/actalker",)),
    Fault("LoadMotion", "motion_file", {"motion_file": "none"}, ("Save Motion",)),
    Fault("TextExpression", "clip_folder", {"match_by": "CLIP"} | RATE, ("needs clip_folder",)),
]
"""What several inputs tell together, and numbers between 0 and the least that can be typed."""
FAULTS = [*TEXTS, *NUMBERS_AND_CHOICES, *FROM_THE_GRAPH]


def make_faulty_graph(comfy: Any, fault: Fault) -> Graph:
    """A graph in API format that is right but for one fault, on the node `fault`.

    Args:
        comfy: whose `node` fills the widgets of a node and whose `inputs` tells its inputs.
    """
    graph: Graph = {}
    _add(comfy, graph, "fault", fault.node, fault.values, fault.links)
    graph["end"] = comfy.node("PreviewAny", source=["fault", 0])
    return graph


def _add(
    comfy: Any, graph: Graph, name: str, kind: str, values: Graph, links: tuple[str, ...] = ()
) -> None:
    """A node, and before it those that give what it requires."""
    inputs = dict(values)
    for requirement, sockets in comfy.inputs(kind).items():
        for socket, (io_type, *_) in sockets.items():
            has_link = requirement == "required" or socket in links
            if socket in values or not has_link or io_type not in SOURCES:
                continue
            source, slot = SOURCES[io_type]
            inputs[socket] = [source, slot]
            if source not in graph:
                graph[source] = {}  # so that none is added twice
                _add(comfy, graph, source, source, SIZE if source == "PreparePortrait" else {})
    needs_signal = kind in ("Conditioning", "SaveSignals")
    if needs_signal:
        inputs.setdefault("expression_signal", ["EncodeMotion", 0])
        if "EncodeMotion" not in graph:
            graph["EncodeMotion"] = {}
            _add(comfy, graph, "EncodeMotion", "EncodeMotion", {})
    graph[name] = comfy.node(kind, **inputs)
