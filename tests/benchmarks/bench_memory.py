"""Peak memory of a released-size window, counted on tensors without values: `make bench`."""

import torch
from harness import peak_bytes, say
from windows import MODES, FusedAttention, empty_unet, face_masks, forward

from actalker_core.config import VARIANTS
from actalker_core.footprint import activation_bytes, scanned_share
from actalker_core.regions import Regions

CONFIG = VARIANTS["released"].unet
SIDE_PX = 576
LIMITS_GB = {"all passes in one batch": 10.0, "pass by pass": 6.0}


def main() -> None:
    unet = empty_unet(CONFIG, torch.float16, FusedAttention)
    weights = sum(parameter.nbytes for parameter in unet.parameters()) / 1e9
    mode, grid = MODES["both, paper's masks"], (SIDE_PX // 8, SIDE_PX // 8)
    share = scanned_share(Regions.from_masks(*face_masks(mode, SIDE_PX), grid, CONFIG.levels))
    frames = CONFIG.num_frames
    say(f"Peak memory of a window: {frames} frames, {SIDE_PX}², half precision, both signals")
    for (name, limit), passes in zip(LIMITS_GB.items(), (len(mode.passes), 1), strict=True):
        found = peak_bytes(forward(unet, mode, frames, SIDE_PX, mode.passes[-passes:])) / 1e9
        told = activation_bytes(CONFIG, grid, frames, passes, share, 2) / 1e9
        say(
            f"   {name:<24} {found:.2f} GB besides the weights, {found + weights:.2f} GB with "
            f"them (limit {limit:g} GB); foretold {told:.2f} GB"
        )


if __name__ == "__main__":
    main()
