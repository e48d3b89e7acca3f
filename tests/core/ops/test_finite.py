"""Results that are NaN or infinite end in an error that says where they began."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.cli_media import FACES, Media, request_of
from helpers.defaults import GUIDANCE
from helpers.signals import audio, expression
from helpers.tiny import tiny_model
from torch import Tensor, nn

from actalker_core.cli import main
from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.windows import Windows
from actalker_core.errors import InputError, NotFiniteError
from actalker_core.media import Audio
from actalker_core.models.actalker.conditioning import (
    Conditioning,
    GatedCondition,
    check_conditioning,
)
from actalker_core.models.actalker.encoders.audio import encode_audio
from actalker_core.models.actalker.encoders.identity import encode_identity
from actalker_core.models.actalker.encoders.motion import encode_expression, encode_pose
from actalker_core.models.actalker.guidance import Pass
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.models.actalker.vae import decode_frames, encode_image
from actalker_core.ops.finite import check_step

SHAPE = (2, 3, 3)
BAD = (torch.nan, torch.inf, -torch.inf)


class FailsAt:
    """A denoiser whose answer for one frame is no number from a step on."""

    def __init__(self, step: int, frame: int, value: float) -> None:
        self.step, self.frame, self.value = step, frame, value
        self.sigmas: list[float] = []

    def merge_passes(self, frames: Sequence[int]) -> list[Pass]:
        return list(Pass)

    def __call__(
        self, x: Tensor, sigma: float, frames: Sequence[int], passes: Sequence[Pass]
    ) -> Tensor:
        if sigma not in self.sigmas:
            self.sigmas.append(sigma)
        answer = torch.zeros(len(passes), *x.shape)
        if len(self.sigmas) == self.step and self.frame in frames:
            answer[:, list(frames).index(self.frame), 0, 0, 0] = self.value
        return answer


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(("step", "frame", "window"), [(1, 0, 1), (2, 6, 2), (4, 9, 3)])
def test_sampling_says_where_it_began(value: float, step: int, frame: int, window: int) -> None:
    denoiser, calls = FailsAt(step, frame, value), []
    words = rf"step {step} of 4, window {window} of 3, frame {frame + 1}\b"
    with pytest.raises(NotFiniteError, match=words):
        sample(
            denoiser,
            torch.randn(10, *SHAPE),
            [8.0, 4.0, 2.0, 1.0, 0.0],
            GUIDANCE,
            Windows(4, 0, 0),
            calls.append,
        )
    assert len(calls) == step - 1, "no preview of what is no picture, and no step after it"


def test_windows_that_wrap_around_are_named_too() -> None:
    latents = torch.zeros(4, *SHAPE)
    latents[3] = torch.nan
    with pytest.raises(NotFiniteError, match="window 2 of 2, frame 4"):
        check_step(torch.zeros(4, *SHAPE), latents, 1, 1, [[0, 1], [2, 3]])
    check_step(torch.zeros(4, *SHAPE), torch.zeros(4, *SHAPE), 1, 1, [[0, 1], [2, 3]])


def test_what_was_no_number_before_the_denoiser_is_not_its_fault() -> None:
    latents = torch.full((4, *SHAPE), torch.nan)
    with pytest.raises(NotFiniteError, match=r"Denoiser: .*they began before"):
        check_step(latents, latents, 1, 1, [[0, 1], [2, 3]])


# What goes in ------------------------------------------------------------------------------------


def conditioning(**parts: Tensor) -> Conditioning:
    signal = GatedCondition(torch.ones(2, 1, 4), torch.zeros(1, 1, 4), torch.ones(2))
    conditioning = Conditioning(
        image_latent=torch.zeros(1, 4, 8, 8),
        identity=torch.zeros(1, 1, 4),
        audio=signal,
        expression=signal,
        regions=None,
        pose=torch.zeros(1, 1, 4, 8, 8),
        time_ids=torch.zeros(1, 3),
    )
    for name, value in parts.items():
        outer, _, inner = name.partition("__")
        new = replace(getattr(conditioning, outer), **{inner: value}) if inner else value
        conditioning = replace(conditioning, **{outer: new})
    return conditioning


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    ("part", "shape", "word"),
    [
        ("image_latent", (1, 4, 8, 8), "autoencoder"),
        ("identity", (1, 1, 4), "identity encoder"),
        ("audio__tokens", (2, 1, 4), "audio projection"),
        ("audio__null_embedding", (1, 1, 4), "audio projection"),
        ("expression__tokens", (2, 1, 4), "expression projection"),
        ("expression__gate", (2,), "gates"),
        ("pose", (1, 1, 4, 8, 8), "pose guider"),
    ],
)
def test_conditioning_names_what_is_not_finite(
    part: str, shape: tuple[int, ...], word: str, value: float
) -> None:
    check_conditioning(conditioning())
    with pytest.raises(NotFiniteError, match=word):
        check_conditioning(conditioning(**{part: torch.full(shape, value)}))


@pytest.fixture(scope="module")
def nan_model() -> ACTalker:
    """A model each of whose small networks has one weight that is no number."""
    model = ACTalker(tiny_model().config).eval().requires_grad_(False)
    model.load_state_dict(tiny_model().state_dict())
    for network in model.children():
        next(p for p in network.parameters() if p.ndim > 1).flatten()[0] = torch.nan
    return model


PICTURE = torch.rand(3, 64, 64)
BOX = (0.0, 0.0, 64.0, 64.0)
RUNS: dict[str, Callable[[ACTalker], Any]] = {
    "Audio encoder": lambda m: encode_audio(
        m.audio_encoder, Audio(torch.rand(1, 16_000).numpy(), 16_000)
    ),
    "Identity encoder": lambda m: encode_identity(m.identity_encoder, PICTURE, BOX),
    "Expression encoder": lambda m: encode_expression(
        m.expression_encoder, [PICTURE], [None], rate_hz=25
    ),
    "Head pose encoder": lambda m: encode_pose(m.head_pose_encoder, [PICTURE], None, rate_hz=25),
    "Autoencoder": lambda m: encode_image(m.vae, PICTURE[None]),
}


@pytest.mark.parametrize("encoder", RUNS)
def test_an_encoder_with_one_weight_that_is_no_number_is_named(
    nan_model: ACTalker, encoder: str
) -> None:
    RUNS[encoder](tiny_model())
    with pytest.raises(NotFiniteError, match=f"^{encoder}: expected"):
        RUNS[encoder](nan_model)


def without_decoder(model: ACTalker) -> nn.Module:
    """An autoencoder whose way back is broken."""
    vae = ACTalker(model.config).vae.eval().requires_grad_(False)
    vae.load_state_dict(model.vae.state_dict())
    vae.decoder.conv_in.bias[0] = torch.inf
    return vae


def test_decoding_names_the_frames() -> None:
    latents = torch.zeros(5, 4, 8, 8)
    assert len(list(decode_frames(tiny_model().vae, latents, 2))) == 3
    with pytest.raises(NotFiniteError, match="autoencoder, in frames 1 to 2"):
        list(decode_frames(without_decoder(tiny_model()), latents, 2))
    latents[4, 0, 0, 0] = torch.nan
    with pytest.raises(NotFiniteError, match=r"expected finite latents.*began before"):
        list(decode_frames(tiny_model().vae, latents, 2))


# Numbers that people give ------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1e300, -1e300, 31.0, torch.nan, torch.inf])
@pytest.mark.parametrize("name", ["appearance", "audio", "expression"])
def test_no_guidance_is_so_strong_that_pictures_end(name: str, value: float) -> None:
    with pytest.raises(InputError, match="Guidance"):
        replace(GUIDANCE, **{name: (1.0, value)})


@pytest.mark.parametrize("strength", [1e300, torch.inf, torch.nan])
def test_an_edit_that_leaves_the_numbers_is_refused(strength: float) -> None:
    for signal in (expression(), audio()):
        with pytest.raises(InputError, match="expected finite"):
            signal.scale(strength)


@pytest.mark.usefixtures("quick_models")
def test_no_black_video_comes_of_a_bad_denoiser(
    media: Media, out: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One number of the denoiser that is none: exit 1, one line, no file."""
    from actalker_core.cli import commands

    load = commands._load_model

    def load_nan_model(options: Any) -> ACTalker:
        model = load(options)
        model.unet.conv_out.bias[0] = torch.nan
        return model

    monkeypatch.setattr(commands, "_load_model", load_nan_model)
    assert main(request_of(media, out, "audio", "--steps", "2", faces=FACES)) == 1
    assert "began at step 1 of 2, window 1" in caplog.messages[-1]
    assert not out.exists()
