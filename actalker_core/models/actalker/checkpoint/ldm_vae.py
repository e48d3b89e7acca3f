"""SVD's autoencoder as its single file names it -> diffusers' names."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

LDM_PREFIX = "first_stage_model."
"""Where the single SVD file keeps the autoencoder."""

_TEMPORAL_NAMES = {
    "time_stack.in_layers.0": "temporal_res_block.norm1",
    "time_stack.in_layers.2": "temporal_res_block.conv1",
    "time_stack.out_layers.0": "temporal_res_block.norm2",
    "time_stack.out_layers.3": "temporal_res_block.conv2",
    "mix_factor": "time_mixer.mix_factor",
}
_ATTENTION_NAMES = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
}


def is_ldm(weights: Mapping[str, Tensor]) -> bool:
    """Whether a state dict, name -> (…), has the single file's names."""
    return any("mid.attn_1." in key for key in weights)


def from_ldm(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an autoencoder's tensors, attention's 1×1 kernels (c, c, 1, 1) to (c, c).

    `LDM_PREFIX` is already gone. A file without `quant_conv` gets the identity, as diffusers asks
    for one.
    """
    matches = (re.match(r"decoder\.up\.(\d+)\.", key) for key in weights)
    levels = 1 + max((int(match[1]) for match in matches if match), default=0)
    tensors = {
        _rename(key, levels): _flatten_attention(key, value) for key, value in weights.items()
    }
    conv_out_bias = tensors.get("encoder.conv_out.bias")
    if "quant_conv.weight" not in tensors and conv_out_bias is not None:
        channels = conv_out_bias.shape[0]
        tensors["quant_conv.weight"] = torch.eye(channels)[..., None, None]
        tensors["quant_conv.bias"] = torch.zeros(channels)
    return tensors


def _rename(key: str, levels: int) -> str:
    if key.startswith("quant_conv."):
        return key
    half, _, rest = key.partition(".")
    if rest.startswith("conv_out.time_mix_conv."):
        return f"{half}.time_{rest.replace('time_mix_conv.', '')}"
    rest = re.sub(r"^norm_out\.", "conv_norm_out.", rest)
    if match := re.match(r"mid\.attn_1\.(\w+)\.(.+)", rest):
        return (
            f"{half}.mid_block.attentions.0.{_ATTENTION_NAMES.get(match[1], match[1])}.{match[2]}"
        )
    if match := re.match(r"mid\.block_(\d)\.(.+)", rest):
        return f"{half}.mid_block.resnets.{int(match[1]) - 1}.{_rename_resnet(half, match[2])}"
    if match := re.match(r"(down|up)\.(\d+)\.block\.(\d+)\.(.+)", rest):
        level = _translate_level(match[1], int(match[2]), levels)
        return (
            f"{half}.{match[1]}_blocks.{level}.resnets.{match[3]}.{_rename_resnet(half, match[4])}"
        )
    if match := re.match(r"(down|up)\.(\d+)\.(down|up)sample\.conv\.(.+)", rest):
        level = _translate_level(match[1], int(match[2]), levels)
        return f"{half}.{match[1]}_blocks.{level}.{match[3]}samplers.0.conv.{match[4]}"
    return f"{half}.{rest}"


def _translate_level(direction: str, index: int, levels: int) -> int:
    """The single file counts the way up from its end."""
    return index if direction == "down" else levels - 1 - index


def _rename_resnet(half: str, name: str) -> str:
    name = name.replace("nin_shortcut", "conv_shortcut")
    if half == "encoder":
        return name
    for ldm_name, diffusers_name in _TEMPORAL_NAMES.items():
        if name.startswith(ldm_name):
            return name.replace(ldm_name, diffusers_name)
    return f"spatial_res_block.{name}"


def _flatten_attention(key: str, value: Tensor) -> Tensor:
    """The single file writes the attention's linear layers as 1×1 convolutions (c, c, 1, 1)."""
    is_attention = ".attn_1." in key and value.ndim == 4
    return value.flatten(1) if is_attention else value
