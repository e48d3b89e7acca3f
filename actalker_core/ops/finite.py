"""Results that are NaN or infinite end with where they began, not in black images."""

from collections.abc import Sequence

from torch import Tensor

from ..errors import NotFiniteError

NARROW_TYPE_REMEDY = (
    "Choose another dtype, fp32 or bf16 (--dtype; in ComfyUI that of Load Model), and look for a "
    "LoRA or another patch of the weights."
)


def is_finite(tensor: Tensor) -> bool:
    """Whether no number of (…) is NaN or infinite; waits for the device."""
    return bool(tensor.isfinite().all())


def check_encoded(encoder: str, result: Tensor) -> Tensor:
    """The result (b, …) of an encoder, if it is finite.

    Args:
        encoder: its name, for the error.

    Raises:
        NotFiniteError: names the encoder.
    """
    if not is_finite(result):
        raise NotFiniteError(
            f"{encoder}: expected finite features, got NaN or infinity: they began in this "
            "network. Check that the media hold no NaN, and get or convert the checkpoint again."
        )
    return result


def check_step(
    x: Tensor, result: Tensor, step: int, steps: int, windows: Sequence[Sequence[int]]
) -> None:
    """Refuse latents of a step that are not finite.

    Args:
        x: (f, c, h, w) what the denoiser reads.
        result: (f, c, h, w) what the denoiser predicts for a video.
        step: from 1. steps: in all.
        windows: frame numbers of each window of this step.

    Raises:
        NotFiniteError: says at which step, and in which window and frames.
    """
    if is_finite(result):
        return
    check_latents(x, "Denoiser")
    broken_frames = (~result.isfinite().flatten(1).all(1)).nonzero().flatten().tolist()
    frame = broken_frames[0]
    window = next(i for i, frames in enumerate(windows, start=1) if frame in frames)
    raise NotFiniteError(
        f"Sampling: expected finite latents, got NaN or infinity in {len(broken_frames)} of "
        f"{len(result)} frames: they began at step {step} of {steps}, window {window} of "
        f"{len(windows)}, frame {frame + 1}, in what the denoiser predicts. {NARROW_TYPE_REMEDY}"
    )


def check_decoded(frames: Tensor, first: int) -> Tensor:
    """Decoded images, if they are finite.

    Args:
        frames: (f, 3, H, W), before they are cut to 0…1. first: number of the first one, from 1.

    Raises:
        NotFiniteError: says in which frames.
    """
    if not is_finite(frames):
        raise NotFiniteError(
            "Decoding: expected finite images, got NaN or infinity: they began in the "
            f"autoencoder, in frames {first} to {first + len(frames) - 1}. In ComfyUI start with "
            "--fp32-vae; else get or convert the checkpoint again."
        )
    return frames


def check_latents(latents: Tensor, source: str) -> Tensor:
    """Latents (f, c, h, w) that come from elsewhere, if they are finite.

    Args:
        source: where they come from, for the error.

    Raises:
        NotFiniteError: names the source.
    """
    if not is_finite(latents):
        raise NotFiniteError(
            f"{source}: expected finite latents, got NaN or infinity: they began before this. "
            "Check the node or file that they come from."
        )
    return latents
