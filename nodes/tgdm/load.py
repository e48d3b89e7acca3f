"""Networks of TGDM by name."""

from comfy_api.latest import io

from ...actalker_core.models.tgdm.checkpoint import BUILT_IN
from ..common import checks, files, sockets
from .bridge.network import list_networks, read_network


class LoadTGDM(checks.Node):
    """A name -> network."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Load TGDM",
            "model",
            "Loads a network of TGDM, which finishes frames that geometry has moved: the built-in "
            "one, or one that knows a person.",
            [
                io.Combo.Input(
                    "checkpoint",
                    options=list_networks(),
                    tooltip="built-in needs no download and knows drawn people alone. For one "
                    "person: a .safetensors in models/actalker, made by Train Personal.",
                ),
            ],
            [sockets.TGDM.Output("tgdm", tooltip="For Refine With TGDM.")],
            aliases=["tgdm loader", "refiner", "personal model", "load personal"],
        )

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None, **_: object) -> str:
        """A file that was replaced is read again; of a linked name ComfyUI tells nothing here."""
        if checkpoint is None or checkpoint == BUILT_IN:
            return BUILT_IN
        return files.read_stamp(files.model_path(checkpoint))

    @classmethod
    def execute(cls, checkpoint: str) -> io.NodeOutput:
        source = BUILT_IN if checkpoint == BUILT_IN else files.model_path(checkpoint)
        return io.NodeOutput(read_network(source))
