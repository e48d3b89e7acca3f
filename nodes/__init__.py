"""ComfyUI's side of the pack: sockets in, one core call, sockets out."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension, io

log = logging.getLogger(__name__)


def list_nodes() -> "list[type[io.ComfyNode]]":
    """The one list of nodes, in the order in which a graph uses them."""
    from .actalker.conditioning import Conditioning
    from .actalker.decode import Decode
    from .actalker.demo import DemoMedia
    from .actalker.encode import EncodeAudio, EncodeIdentity, EncodeMotion
    from .actalker.faster import Faster
    from .actalker.load import ConvertCheckpoint, LoadModel
    from .actalker.sample import Guider, Preflight, Sampler, Windows
    from .actalker.signals import EditSignal, LoadSignals, MixSignals, SaveSignals, SignalMonitor
    from .actalker.talk import Talk
    from .actalker.words import BankOfSignal, ExpressionBank, TextExpression
    from .face.curves import Curve, Gates
    from .face.motion import MotionFromIdle, MotionFromSpeech, MotionFromVideo, MotionFromWords
    from .face.motion_edits import EditMotion, LoadMotion, MixMotion, SaveMotion
    from .face.portrait import PasteBack, PreparePortrait
    from .face.regions import RegionMasks
    from .face.swap import SwapStart
    from .photograph.animate import AnimatePhoto, MotionToFrames
    from .photograph.editor import FaceEditor
    from .photograph.geometry import GeometryImages
    from .tgdm.load import LoadTGDM
    from .tgdm.refine import RefineWithTGDM
    from .tgdm.swap import FaceSwap
    from .tgdm.train import TrainPersonal

    return [
        *(Talk, AnimatePhoto, DemoMedia, LoadModel, ConvertCheckpoint),
        *(PreparePortrait, EncodeIdentity, EncodeAudio, EncodeMotion),
        *(ExpressionBank, BankOfSignal, TextExpression),
        *(EditSignal, MixSignals, SaveSignals, LoadSignals),
        *(MotionFromVideo, MotionFromSpeech, MotionFromWords, MotionFromIdle),
        *(FaceEditor, MixMotion, EditMotion, SaveMotion, LoadMotion),
        *(MotionToFrames, LoadTGDM, RefineWithTGDM, TrainPersonal),
        *(FaceSwap, GeometryImages, SwapStart),
        *(RegionMasks, Curve, Gates, SignalMonitor),
        *(Conditioning, Windows, Faster, Preflight, Guider, Sampler),
        *(Decode, PasteBack),
    ]


def add_routes() -> None:
    """What the page asks for before a graph runs."""
    from .common.routes import add_route
    from .face.routes import answer_faces, answer_regions
    from .photograph.preview import preview_face

    add_route("face", preview_face)
    add_route("faces", answer_faces)
    add_route("regions", answer_regions)


def make_extension() -> "ComfyExtension":
    """The nodes as ComfyUI wants them.

    ComfyUI reports a failure in one line without its place, so the place is logged here.
    """
    from comfy_api.latest import ComfyExtension

    try:
        from .common.files import register_folder

        register_folder()
        nodes = list_nodes()
        add_routes()
    except Exception:
        log.exception("ACTalker: its nodes cannot be loaded.")
        raise

    class ACTalkerExtension(ComfyExtension):
        async def get_node_list(self) -> "list[type[io.ComfyNode]]":
            return nodes

    return ACTalkerExtension()
