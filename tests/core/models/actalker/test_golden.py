"""The core against tensors of the released model, computed with formula weights.

`ACTALKER_GOLDEN` names another directory of the same form; every dimension comes from its
`cases.json`, and a file that it lacks skips the case that needs it.
"""

import json
import math
import os
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from helpers.formula import fill_weights, rand, randn
from safetensors.torch import load_file
from torch import Tensor, nn

from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.diffusion.windows import Windows
from actalker_core.models.actalker.conditioning import Conditioning, GatedCondition
from actalker_core.models.actalker.config import (
    VARIANTS,
    ArcFaceConfig,
    AudioProjectionConfig,
    ExpressionProjectionConfig,
    IdentityProjectionConfig,
    PoseGuiderConfig,
    ResNetConfig,
    UNetConfig,
    VAEConfig,
    WhisperConfig,
)
from actalker_core.models.actalker.denoiser import Denoiser
from actalker_core.models.actalker.encoders.audio import (
    WhisperEncoder,
    compute_hidden_states,
    log_mel,
    window_audio_states,
)
from actalker_core.models.actalker.encoders.identity import ArcFace
from actalker_core.models.actalker.encoders.motion import HeadExpression, HeadPose
from actalker_core.models.actalker.encoders.pose_guider import PoseGuider
from actalker_core.models.actalker.encoders.projections import (
    AudioProjection,
    ExpressionProjection,
    IdentityProjection,
)
from actalker_core.models.actalker.guidance import Guidance
from actalker_core.models.actalker.token_regions import Regions, find_tokens
from actalker_core.models.actalker.unet.attention import RegionCondition
from actalker_core.models.actalker.unet.control import Control
from actalker_core.models.actalker.unet.mamba import ParallelControlMamba, SelectiveScanUnit
from actalker_core.models.actalker.unet.unet import UNet
from actalker_core.models.actalker.vae import build_vae, encode_image
from actalker_core.ops.selective_scan import BACKENDS, scan_inputs, selective_scan

GOLDEN = Path(os.environ.get("ACTALKER_GOLDEN") or Path(__file__).parents[3] / "data" / "golden")
MODULE, LOOP = 1e-4, 1e-3
CPU_BACKENDS = [name for name in BACKENDS if name != "mamba_ssm"]


def output(name: str) -> Path:
    path = GOLDEN / name
    if not path.is_file():
        pytest.skip(f"{name} is not in {GOLDEN}")
    return path


def tensors(name: str) -> dict[str, Tensor]:
    return load_file(output(name))


def read_json(name: str) -> dict:
    return json.loads(output(name).read_text())


def close(got: Tensor, want: Tensor, tolerance: float) -> None:
    assert got.shape == want.shape
    error = (got - want).abs().max().item()
    limit = tolerance * want.abs().max().item()
    assert error <= limit, f"largest difference {error:.3g}, allowed {limit:.3g}"


def same_keys(module: nn.Module, name: str) -> None:
    want = {key: tuple(shape) for key, shape in read_json(name).items()}
    got = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert got == want


def mask(name: str) -> Tensor:
    return tensors("masks.safetensors")[name]


@pytest.fixture(scope="module")
def cases() -> dict:
    return read_json("cases.json")


@pytest.fixture(scope="module")
def seed(cases: dict) -> int:
    return cases["seed"]


# Selective scan ----------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_selective_scan(cases: dict, seed: int, backend: str) -> None:
    case = cases["selective_scan"]
    batch, channels, length = case["batch"], case["channels"], case["length"]
    groups, state = case["groups"], case["state"]
    dtype = getattr(torch, case["dtype"])

    def draw(name: str, *shape: int) -> Tensor:
        return randn(seed, name, *shape).to(dtype)

    y = selective_scan(
        draw("u", batch, channels, length).transpose(1, 2),
        (draw("delta", batch, channels, length) * 0.5 - 1).transpose(1, 2),
        -torch.exp(draw("A", channels, state) * 0.3),
        draw("B", batch, groups, state, length).permute(0, 3, 1, 2),
        draw("C", batch, groups, state, length).permute(0, 3, 1, 2),
        draw("D", channels),
        draw("delta_bias", channels) * 0.1,
        backend=backend,
    )
    close(y.transpose(1, 2), tensors("selective_scan.safetensors")["y"], 1e-12)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_ssm_unit(cases: dict, seed: int, backend: str) -> None:
    case = cases["ssm_unit"]
    d_inner = case["expand"] * case["d_model"]
    rank = math.ceil(case["d_model"] / 16)
    unit = SelectiveScanUnit(d_inner, case["state"], rank, case["directions"])
    same_keys(unit, "ssm_unit_keys.json")
    x = randn(seed, "unit_x", *case["input"]).transpose(1, 2)
    y = scan_inputs([fill_weights(unit, seed)(x)], backend)[0].transpose(1, 2)
    close(y, tensors("ssm_unit.safetensors")["y"], MODULE)


# Parallel-control layer --------------------------------------------------------------------------


def test_pcm_layer(cases: dict, seed: int) -> None:
    case = cases["pcm_layer"]
    rows, _, channels = case["input"]
    layer = ParallelControlMamba(
        case["d_model"], case["d_cond"], case["state"], case["expand"], directions=2
    )
    same_keys(layer, "pcm_layer_keys.json")
    fill_weights(layer, seed)
    golden = tensors("pcm_layer.safetensors")
    x = randn(seed, "pcm_x", *case["input"])
    identity = randn(seed, "pcm_id", rows, 1, case["d_cond"])
    split = [case["audio_tokens"], case["expression_tokens"]]
    audio, expression = randn(seed, "pcm_cond", rows, sum(split), case["d_cond"]).split(split, 1)
    assert channels == case["d_model"]
    assert set(golden) == set(case["cases"])
    for name, masks in case["cases"].items():
        regions = [find_tokens(mask(m), tuple(case["grid"])) for m in masks]
        y = layer(
            x, identity, RegionCondition(audio, regions[0]), RegionCondition(expression, regions[1])
        )
        close(y, golden[name], MODULE)


# UNet --------------------------------------------------------------------------------------------


def unet_config(cases: dict, kind: type = UNetConfig) -> UNetConfig:
    case = cases["unet_tiny"]
    names = {f.name for f in fields(kind)}
    values = {
        k: tuple(v) if isinstance(v, list) else v for k, v in case["config"].items() if k in names
    }
    return kind(**values, signal_scales=tuple(case["ip_scale"]))


@pytest.fixture(scope="module")
def unet(cases: dict, seed: int) -> UNet:
    return fill_weights(UNet(unet_config(cases)), seed)


def test_unet_keys(unet: UNet) -> None:
    same_keys(unet, "unet_tiny_keys.json")


def test_unet(cases: dict, seed: int, unet: UNet) -> None:
    case = cases["unet_tiny"]
    golden = tensors("unet_tiny.safetensors")
    batch, frames, _, height, width = case["sample"]
    rows, dim = batch * frames, unet.config.cross_attention_dim
    identity = randn(seed, "unet_id", rows, 1, dim)
    audio = randn(seed, "unet_audio", rows, case["audio_tokens"], dim)
    expression = randn(seed, "unet_exp", rows, case["expression_tokens"], dim)
    pose_shape = (batch, frames, case["pose_channels"], height, width)
    pose = randn(seed, "unet_pose", *pose_shape) * case["pose_gain"]
    assert set(golden) == set(case["cases"])
    for name, values in case["cases"].items():
        masks = [mask(m) for m in values["masks"]]
        regions = Regions.from_masks(*masks, (height, width), unet.config.levels)
        gate_audio, gate_expression = values["gate"]
        control = Control(
            frames, identity, audio * gate_audio, expression * gate_expression, regions
        )
        y = unet(
            randn(seed, "unet_sample", *case["sample"]),
            torch.full((batch,), case["timestep"]),
            torch.tensor(case["time_ids"]),
            control,
            pose,
        )
        close(y, golden[name], MODULE)


def test_released_unet_keys_and_shapes() -> None:
    with torch.device("meta"):
        unet = UNet(VARIANTS["released"].unet)
    same_keys(unet, "unet_official_keys.json")
    assert sum(p.numel() for p in unet.parameters()) == 1_775_460_842


# Projections -------------------------------------------------------------------------------------


def test_audio_projection(cases: dict, seed: int) -> None:
    case = dict(cases["projections"]["audio"])
    shape = case.pop("input")
    module = AudioProjection(AudioProjectionConfig(**case))
    same_keys(module, "audio_proj_keys.json")
    y = fill_weights(module, seed)(randn(seed, "audio_proj_in", *shape))
    close(y, tensors("projections.safetensors")["audio"], MODULE)


def identity_projection(cases: dict) -> IdentityProjection:
    case = {k: v for k, v in cases["projections"]["id"].items() if k != "input"}
    return IdentityProjection(IdentityProjectionConfig(**case))


def test_identity_projection(cases: dict, seed: int) -> None:
    module = identity_projection(cases)
    same_keys(module, "id_proj_keys.json")
    y = fill_weights(module, seed)(randn(seed, "id_proj_in", *cases["projections"]["id"]["input"]))
    close(y, tensors("projections.safetensors")["id"], MODULE)


def test_expression_projection(cases: dict, seed: int) -> None:
    case = dict(cases["projections"]["vasa"])
    shape = case.pop("input")
    module = ExpressionProjection(ExpressionProjectionConfig(**case))
    same_keys(module, "expression_proj_keys.json")
    y = fill_weights(module, seed)(randn(seed, "vasa_in", *shape))
    close(y, tensors("projections.safetensors")["vasa"], MODULE)


def pose_guider(cases: dict) -> PoseGuider:
    case = cases["projections"]["pose"]
    channels = case["conditioning_embedding_channels"]
    widths = tuple(case["block_out_channels"])
    image_channels = case["input"][1]
    return PoseGuider(PoseGuiderConfig(image_channels, channels, widths))


def test_pose_guider(cases: dict, seed: int) -> None:
    module = pose_guider(cases)
    same_keys(module, "pose_guider_keys.json")
    image = rand(seed, "pose_in", *cases["projections"]["pose"]["input"])  # b c f h w
    y = fill_weights(module, seed)(image.transpose(1, 2).flatten(0, 1))
    y = y.unflatten(0, (image.shape[0], -1)).transpose(1, 2)
    close(y, tensors("projections.safetensors")["pose"], MODULE)


# Encoders ----------------------------------------------------------------------------------------


def resnet_config(like: ResNetConfig, groups: int) -> ResNetConfig:
    return ResNetConfig(like.layers, like.bottleneck, groups, like.output_dim, like.width)


def test_expression_encoder(cases: dict, seed: int) -> None:
    config, case = VARIANTS["released"], cases["encoders"]
    groups = case["expression_norm_groups"]
    module = HeadExpression(resnet_config(config.expression_encoder, groups))
    same_keys(module, "head_expression_keys.json")
    y = fill_weights(module, seed)(rand(seed, "face_image", *case["face_image"]))
    close(y, tensors("encoders.safetensors")["expression"], MODULE)


def test_head_pose_encoder(cases: dict, seed: int) -> None:
    config, case = VARIANTS["released"], cases["encoders"]
    groups = case["pose_norm_groups"]
    module = HeadPose(resnet_config(config.head_pose_encoder, groups))
    same_keys(module, "head_pose_keys.json")
    golden = tensors("encoders.safetensors")
    face = rand(seed, "face_image", *case["face_image"])
    rotation, translation = fill_weights(module, seed)(face * 2 - 1)
    close(rotation, golden["rotation"], MODULE)
    close(translation, golden["translation"], MODULE)


def test_identity_encoder(cases: dict, seed: int) -> None:
    module = ArcFace(ArcFaceConfig())
    same_keys(module, "arcface_r50_keys.json")
    head = rand(seed, "head_image", *cases["encoders"]["head_image"])
    y = fill_weights(module, seed)(head * 2 - 1)
    close(y, tensors("encoders.safetensors")["arcface"], MODULE)


def waveform(case: dict) -> Tensor:
    t = torch.arange(round(case["seconds"] * case["sample_rate"]), dtype=torch.float64)
    t = t / case["sample_rate"]
    depth = case["depth_hz"] * torch.sin(2 * math.pi * case["vibrato_hz"] * t)
    tone = torch.sin(2 * math.pi * (case["pitch_hz"] + depth) * t)
    envelope = 0.5 + 0.5 * torch.sin(2 * math.pi * case["envelope_hz"] * t)
    return (case["gain"] * tone * envelope).float()


def test_audio(cases: dict, seed: int) -> None:
    case = cases["audio"]
    shapes = read_json("whisper_encoder_keys.json")
    positions, width = shapes["embed_positions.weight"]
    config = WhisperConfig(
        num_mel_bins=shapes["conv1.weight"][1],
        d_model=width,
        encoder_layers=len({k.split(".")[1] for k in shapes if k.startswith("layers.")}),
        encoder_attention_heads=case["heads"],
        encoder_ffn_dim=shapes["layers.0.fc1.weight"][0],
        max_source_positions=positions,
    )
    module = WhisperEncoder(config)
    same_keys(module, "whisper_encoder_keys.json")
    golden = tensors("audio.safetensors")
    samples, fps = waveform(case), case["frames_per_second"]
    close(log_mel(samples, config.num_mel_bins).mean(1), golden["mel_mean"], MODULE)
    states = compute_hidden_states(fill_weights(module, seed), samples, cut="released")
    frames, length = golden["windows"].shape[:2]
    windows = window_audio_states(states, frames, fps, length)
    close(windows[..., : case["stored_channels"]], golden["windows"], MODULE)
    close(windows.mean(-1), golden["windows_mean"], MODULE)


# Sampling loop -----------------------------------------------------------------------------------


def test_reference_latent(cases: dict, seed: int) -> None:
    case = cases["pipeline"]
    vae = build_vae(VAEConfig(**{k: _tuple(v) for k, v in case["vae"].items()}))
    same_keys(vae, "vae_keys.json")
    image = rand(seed, "pipe_ref", 1, 3, case["height"], case["width"])
    latent = encode_image(fill_weights(vae, seed), image)
    close(latent, tensors("pipeline.safetensors")["ref_latent"], MODULE)


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("run", ["both", "audio_only", "exp_only"])
def test_pipeline(cases: dict, seed: int, unet: UNet, run: str) -> None:
    case = cases["pipeline"]
    if run not in case["runs"]:
        pytest.skip(f"{run} is not a run of {GOLDEN}")
    values = case["runs"][run]
    golden = tensors("pipeline.safetensors")
    conditioning = pipeline_conditioning(cases, seed, unet, values, golden["ref_latent"])
    window = case["window"]
    shape = (1, case["frames"] + window, *case["latent"])
    start = golden["ref_latent"] * case["scaling_factor"]
    noise = start + case["sigma_max"] * randn(seed, "pipe_noise", *shape)[0]
    latents = sample(
        Denoiser(unet, conditioning.pad(window)),
        noise,
        karras_sigmas(values["steps"], case["sigma_min"], case["sigma_max"], case["rho"]),
        Guidance(
            tuple(values["appearance_scale"]),
            tuple(values["audio_scale"]),
            tuple(values["expression_scale"]),
        ),
        Windows(window, values["overlap"], values["shift_per_step"], "cyclic"),
    )
    close(latents[None], golden[run], LOOP)


def pipeline_conditioning(
    cases: dict, seed: int, unet: UNet, run: dict, latent: Tensor
) -> Conditioning:
    case, config = cases["pipeline"], unet.config
    frames, dim = case["frames"], config.cross_attention_dim
    counts = {"audio": cases["unet_tiny"]["audio_tokens"]}
    counts["exp"] = cases["unet_tiny"]["expression_tokens"]

    def gated_condition(kind: str, gate: float) -> GatedCondition:
        parts = [randn(seed, f"pipe_{kind}{i}", 1, counts[kind], dim) for i in range(frames)]
        null_embedding = randn(seed, f"pipe_uncond_{kind}", 1, counts[kind], dim)
        return GatedCondition(torch.cat(parts), null_embedding, torch.full((frames,), float(gate)))

    image = mask("face").expand(1, 3, -1, -1)
    identity = randn(seed, "pipe_idv", 1, 1, case["identity_dim"])
    return Conditioning(
        image_latent=latent,
        identity=fill_weights(identity_projection(cases), seed)(identity),
        audio=gated_condition("audio", run["gate"][0]),
        expression=gated_condition("exp", run["gate"][1]),
        regions=Regions.from_masks(
            mask(run["audio_mask"]),
            mask(run["expression_mask"]),
            tuple(case["latent"][1:]),
            config.levels,
        ),
        pose=fill_weights(pose_guider(cases), seed)(image)[:, None],
        time_ids=torch.tensor(
            [[case["fps"], float(case["motion_bucket_id"]), float(case["motion_bucket_id_exp"])]]
        ),
    )
