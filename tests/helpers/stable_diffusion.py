"""A checkpoint and a ControlNet of Stable Diffusion 1.5's kind, as small as ComfyUI knows one.

ComfyUI tells the kind by widths, not by depth: the UNet has one level, the autoencoder is that of
TAESD, and only the text encoder has all its layers. Weights are random. Built from ComfyUI's own
classes in a process of its own: `python stable_diffusion.py FOLDER`.
"""

import math
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKPOINT, CONTROLNET = "checkpoints/small.safetensors", "controlnet/small.safetensors"


def write_models(folder: Path) -> None:
    """Write both into a `models` folder of ComfyUI."""
    from helpers.host import COMFY  # not there in the other process

    subprocess.run([sys.executable, __file__, str(COMFY), str(folder)], cwd=COMFY, check=True)


def _write(folder: Path) -> None:
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.ops
    import torch
    from comfy.cldm.cldm import ControlNet
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
    from comfy.sd1_clip import SD1ClipModel
    from comfy.taesd.taesd import TAESD
    from safetensors.torch import save_file

    sizes: dict[str, Any] = {
        "image_size": 32,
        "in_channels": 4,
        "model_channels": 320,
        "num_res_blocks": [1],
        "channel_mult": (1,),
        "transformer_depth": [1],
        "transformer_depth_middle": 1,
        "num_heads": 8,
        "use_spatial_transformer": True,
        "context_dim": 768,
        "legacy": False,
        "dtype": torch.float32,
        "device": "cpu",
        "operations": comfy.ops.manual_cast,
    }
    torch.manual_seed(0)

    def draw(prefix: str, state: Mapping[str, Any]) -> dict[str, Any]:
        """Values that keep a layer's input about as large as it is."""
        weights = {}
        for name, tensor in state.items():
            if tensor.ndim > 1:
                values = torch.randn(tensor.shape) / math.sqrt(tensor[0].numel())
            else:
                values = torch.full(tensor.shape, float(not name.endswith("bias")))
            weights[prefix + name] = values.half()
        return weights

    text = SD1ClipModel(device="cpu", dtype=torch.float32).clip_l.transformer
    weights = draw(
        "model.diffusion_model.",
        UNetModel(out_channels=4, transformer_depth_output=[1, 1], **sizes).state_dict(),
    )
    weights |= draw("cond_stage_model.transformer.", text.state_dict())
    weights |= draw("first_stage_model.", TAESD(latent_channels=4).state_dict())
    control = draw("", ControlNet(hint_channels=3, **sizes).state_dict())
    for name, model in ((CHECKPOINT, weights), (CONTROLNET, control)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(model, path)


if __name__ == "__main__":
    comfy_folder, target = sys.argv[1:]
    sys.path[0] = comfy_folder
    sys.argv = ["main.py", "--cpu"]
    _write(Path(target))
