"""Checkpoints."""

from comfy_api.latest import io

from ...actalker_core.errors import InputError, check_choice
from ...actalker_core.models.actalker.checkpoint import BUILT_IN, convert
from ...actalker_core.models.actalker.checkpoint.single_file import FORMAT
from ...actalker_core.ops.selective_scan import CHOICES
from ..common import checks, files, sockets
from ..common.node_text import show
from ..common.progress import Bar
from .bridge.load import DTYPES, load_model

IN_FOLDER = "in the folder"
CHECKPOINT_DTYPES = ("fp16", "bf16", "fp32")


def list_checkpoints() -> list[str]:
    """What Load Model offers; the built-in model stands first."""
    return [BUILT_IN, *files.list_models(FORMAT)]


class LoadModel(checks.Node):
    """Checkpoint -> MODEL, encoders, VAE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Load Model",
            "model",
            "Loads a checkpoint of models/actalker: the denoiser as a MODEL for any sampler, the "
            "encoders of the signals, and the VAE.",
            [
                io.Combo.Input(
                    "checkpoint",
                    options=list_checkpoints(),
                    tooltip="built-in needs no download and is for trying graphs. For "
                    "photographs: .safetensors in models/actalker, made by Convert Checkpoint.",
                ),
                io.Combo.Input(
                    "dtype",
                    options=["auto", *DTYPES],
                    default="auto",
                    tooltip="Of the denoiser's weights. auto follows ComfyUI; fp8_e4m3fn halves "
                    "their memory and costs some quality.",
                ),
                io.Combo.Input(
                    "scan_backend",
                    options=list(CHOICES),
                    default="auto",
                    tooltip="How Mamba's scan runs. auto takes the fastest that is there; all give "
                    "the same images.",
                ),
            ],
            [
                io.Model.Output("model", tooltip="For Guider, Sampler or any sampler of ComfyUI."),
                sockets.Encoders.Output("encoders", tooltip="For the Encode nodes."),
                io.Vae.Output("vae", tooltip="For Conditioning and Decode; also for VAE Decode."),
            ],
            aliases=["checkpoint loader", "load actalker", "talking head model", "lip sync model"],
            advanced=["dtype", "scan_backend"],
        )

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None, **_: object) -> str:
        """A file that was replaced is read again; of a linked name ComfyUI tells nothing here."""
        if checkpoint is None or checkpoint == BUILT_IN:
            return BUILT_IN
        return files.read_stamp(files.model_path(checkpoint))

    @classmethod
    def execute(cls, checkpoint: str, dtype: str, scan_backend: str) -> io.NodeOutput:
        return io.NodeOutput(*load_model(checkpoint, dtype, scan_backend))


def _check_folder(values: checks.Values) -> None:
    if values.get("folder") == files.NO_FILE:
        raise InputError(
            "Convert Checkpoint: expected a folder, got none. Put the released folder into "
            "models/actalker, reload and choose it."
        )


class ConvertCheckpoint(checks.Node):
    """The released folder -> one .safetensors."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Convert Checkpoint",
            "model",
            "Turns the released ACTalker files and SVD's VAE into one .safetensors in "
            "models/actalker. Needed once; nothing in the pickles is run.",
            [
                checks.with_check(
                    io.Combo.Input(
                        "folder",
                        options=files.list_folders(),
                        tooltip="Folder below models/actalker with the released files.",
                    ),
                    check_all=_check_folder,
                ),
                io.Combo.Input(
                    "svd",
                    options=[IN_FOLDER, *files.list_host_checkpoints()],
                    tooltip="SVD-xt-1.1 for its VAE: a file of models/checkpoints, or, with "
                    "in the folder, one among the released files.",
                ),
                checks.with_check(
                    io.String.Input(
                        "file_name",
                        default="actalker",
                        tooltip="Name in models/actalker; a file of that name is replaced.",
                    ),
                    files.new_model_path,
                ),
                io.Combo.Input(
                    "stored_dtype",
                    options=list(CHECKPOINT_DTYPES),
                    default="fp16",
                    tooltip="Of the written weights. fp16 is 4 GB; fp32 is exact and twice that.",
                ),
            ],
            [io.String.Output("checkpoint_path", tooltip="The file that was written.")],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            aliases=[
                "convert weights",
                "merge checkpoint",
                "pth to safetensors",
                "released weights",
            ],
            advanced=["stored_dtype"],
        )

    @classmethod
    def execute(cls, folder: str, svd: str, file_name: str, stored_dtype: str) -> io.NodeOutput:
        _check_folder({"folder": folder})
        check_choice("stored_dtype", stored_dtype, CHECKPOINT_DTYPES)
        out, bar = files.new_model_path(file_name), Bar()
        convert(
            files.model_path(folder),
            out,
            DTYPES[stored_dtype],
            None if svd == IN_FOLDER else files.host_checkpoint_path("svd", svd),
            on_part=bar.report,
        )
        return io.NodeOutput(str(out), ui=show(cls, f"Written: {out}"))
