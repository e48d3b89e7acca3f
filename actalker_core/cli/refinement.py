"""`--refine`: frames that geometry has moved are finished by a network."""

import argparse
from collections.abc import Iterator

import torch
from torch import Tensor

from .. import limits
from ..errors import quote
from ..models.photograph.pipeline import render_frames
from ..models.photograph.plan import PhotographPlan
from ..models.tgdm.checkpoint import BUILT_IN, load_network
from ..models.tgdm.network import TGDM
from ..models.tgdm.pipeline import PLACES, Refinement, refine_frames
from ..models.tgdm.sampling import Sampling
from . import types
from .device import choose_device

FAMILY = "tgdm"


def add_refinement(parser: argparse.ArgumentParser) -> None:
    """Whether a network finishes the frames, and how."""
    add, usual = parser.add_argument, Sampling()
    add(
        "--refine",
        type=parse_refinement,
        metavar="tgdm[:FILE]",
        help="finish the frames with TGDM: the built-in network, for drawn people, or a file of "
        "yours (off)",
    )
    add(
        "--refine-steps",
        type=types.integer_parser(limits.REFINE_STEPS),
        default=usual.steps,
        help=f"of diffusion after the first answer; 0 is that answer alone ({usual.steps})",
    )
    add(
        "--refine-noise",
        type=types.number_parser(limits.REFINE_NOISE),
        default=usual.noise,
        help=f"how much of it these steps make anew ({usual.noise:g})",
    )
    add(
        "--refine-place",
        choices=PLACES,
        default=PLACES[0],
        help="what may change: all, or pixels that the photograph does not show alone "
        f"({PLACES[0]})",
    )
    add(
        "--texture-scale",
        type=types.number_parser(limits.GUIDANCE),
        default=usual.texture_scale,
        help=f"guidance by the source's texture; 1 is unguided ({usual.texture_scale:g})",
    )
    add(
        "--geometry-scale",
        type=types.number_parser(limits.GUIDANCE),
        default=usual.geometry_scale,
        help=f"guidance by the geometry ({usual.geometry_scale:g})",
    )
    add(
        "--refine-seed",
        type=types.integer_parser(limits.SEED),
        default=0,
        help="of the noise (0)",
    )
    add("--refine-device", default="auto", help="auto, cpu or cuda (auto)")


def parse_refinement(text: str) -> str:
    """`tgdm`, or `tgdm:` and a file -> what `load_network` takes."""
    family, _, path = text.partition(":")
    if family != FAMILY or (":" in text and not path):
        raise argparse.ArgumentTypeError(
            f"expected {FAMILY}, or {FAMILY}:file.safetensors, got {quote(text)}"
        )
    return path or BUILT_IN


def read_sampling(options: argparse.Namespace) -> Sampling:
    """How frames are finished."""
    return Sampling(
        options.refine_steps, options.refine_noise, options.texture_scale, options.geometry_scale
    )


def open_network(options: argparse.Namespace) -> TGDM | None:
    """The network of `--refine`, before anything else is read; None without one."""
    if options.refine is None:
        return None
    device = choose_device(options.refine_device)
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    return load_network(options.refine, device, dtype)


def draw_chunks(
    options: argparse.Namespace, plan: PhotographPlan, network: TGDM
) -> Iterator[Tensor]:
    """(1, 3, H, W) uint8, the moved photograph finished by a network, frame by frame."""
    refinement = Refinement(
        network,
        plan.photograph,
        read_sampling(options),
        options.refine_seed,
        options.refine_place,
        plan.lips,
        plan.mask,
    )
    numbers = map(plan.motion.frame, range(plan.frames))
    for image in refine_frames(refinement, zip(render_frames(plan), numbers, strict=True)):
        yield torch.from_numpy(image).movedim(-1, 0)[None]
