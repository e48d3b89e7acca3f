"""Windows, guidance, sampling, and what it will cost."""

from dataclasses import replace
from typing import Any

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ...actalker_core import limits
from ...actalker_core.diffusion.schedules import DEFAULT_SCHEDULE
from ...actalker_core.diffusion.windows import MODES
from ...actalker_core.diffusion.windows import Windows as ClipWindows
from ...actalker_core.models.actalker.config import ModelConfig
from ...actalker_core.models.actalker.cost import CostEstimate, estimate_cost
from ...actalker_core.models.actalker.defaults import (
    default_guidance,
    default_windows,
    list_warnings,
    override,
)
from ...actalker_core.models.actalker.guidance import Guidance, Pass
from ..common import checks, sockets
from ..common.defaults import SHIFT_DEFAULT, to_option
from ..common.node_text import log_warnings, show, show_warnings, warn
from ..common.progress import show_stages
from .bridge.cost import measure_evaluation_s, memory_lines
from .bridge.guider import (
    SAMPLING,
    NestedGuider,
    Schedule,
    get_conditioning,
    sample,
    sampler_names,
    scheduler_names,
)
from .bridge.model import check_model, get_interval, get_windows, with_windows

EFFECTS = {
    "appearance": "How closely the portrait's identity is kept",
    "audio": "How strongly the lips follow the audio",
    "expression": "How strongly expression and head follow their signals",
}
SCALE_ENDS = [f"{name}_scale_end" for name in EFFECTS]


def scale_inputs() -> list[Any]:
    """Three strengths, each from the first to the last step."""
    return [
        sockets.own_input(
            f"{name}_scale_{end}",
            limits.GUIDANCE,
            f"{effect}, at the {end} of sampling. 1 is off.",
            0.1,
            meaning=meaning,
        )
        for name, effect in EFFECTS.items()
        for end, meaning in (("start", "the model's own"), ("end", "as at the start"))
    ]


def make_guidance(config: ModelConfig, scales: dict[str, float]) -> Guidance:
    """The values of `scale_inputs` for a model."""
    guidance = default_guidance(config)
    for name in EFFECTS:
        start = to_option(scales[f"{name}_scale_start"], limits.GUIDANCE)
        first, last = getattr(guidance, name) if start is None else (start, start)
        end = to_option(scales[f"{name}_scale_end"], limits.GUIDANCE)
        guidance = override(guidance, **{name: (first, last if end is None else end)})
    return guidance


def _check_overlap(values: checks.Values) -> None:
    """Windows have to advance; how long the model's own are is known when it is loaded."""
    frames, overlap = values.get("window_frames"), values.get("overlap_frames")
    if frames and overlap is not None:
        ClipWindows(frames, overlap)


class Windows(checks.Node):
    """MODEL -> MODEL that cuts long clips in another way."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Windows",
            "sampling",
            "How a long video is cut into windows; without this node as the model was trained, "
            "without overlap.",
            [
                io.Model.Input("model", tooltip="Of Load Model."),
                sockets.own_input(
                    "window_frames",
                    limits.WINDOW_FRAMES,
                    "Frames at a time; fewer need less memory.",
                    meaning="as many as the model was trained on",
                ),
                checks.with_check(
                    io.Int.Input(
                        "overlap_frames",
                        default=0,
                        **limits.OVERLAP_FRAMES.widget,
                        tooltip="Frames that neighbours share: smoother, and slower by as much. 6 "
                        "is typical, 0 is off.",
                    ),
                    check_all=_check_overlap,
                ),
                sockets.own_input(
                    "shift_frames",
                    limits.SHIFT_FRAMES,
                    "How far the windows move after each step, so that no seam stays in one place. "
                    "0 is off.",
                    default=SHIFT_DEFAULT,
                ),
                io.Combo.Input(
                    "mode",
                    options=list(MODES),
                    tooltip="tight keeps windows inside the clip. cyclic lets them wrap around as "
                    "the released script does, at the cost of one window more.",
                ),
            ],
            [io.Model.Output("windowed_model", tooltip="For Guider or Sampler.")],
            hidden=[io.Hidden.unique_id],
            aliases=["context windows", "long video", "sliding window", "overlap"],
            advanced=["shift_frames", "mode"],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        window_frames: int,
        overlap_frames: int,
        shift_frames: int,
        mode: str,
    ) -> io.NodeOutput:
        config = check_model(model).config
        windows = override(
            default_windows(config),
            frames=to_option(window_frames, limits.WINDOW_FRAMES),
            shift_per_step=to_option(shift_frames, limits.SHIFT_FRAMES, SHIFT_DEFAULT),
        )
        windows = replace(windows, overlap=overlap_frames, mode=mode)
        warnings = list_warnings(config, windows=windows)
        return io.NodeOutput(with_windows(model, windows), ui=warn(cls, warnings))


class Guider(checks.Node):
    """MODEL, CONDITIONING -> GUIDER for SamplerCustomAdvanced."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Guider",
            "sampling",
            "Nested guidance for SamplerCustomAdvanced, with any sampler and any sigmas. Passes "
            "that would compute the same, or weigh nothing, do not run.",
            [
                io.Model.Input("model", tooltip="Of Load Model or Windows."),
                io.Conditioning.Input("conditioning", tooltip="Of Conditioning (ACTalker)."),
                *scale_inputs(),
            ],
            [io.Guider.Output("guider", tooltip="For SamplerCustomAdvanced.")],
            hidden=[io.Hidden.unique_id],
            aliases=["cfg guider", "nested guidance", "guidance scale"],
            advanced=SCALE_ENDS,
        )

    @classmethod
    def execute(
        cls, model: ModelPatcher, conditioning: list[Any], **scales: float
    ) -> io.NodeOutput:
        config = check_model(model).config
        guidance = make_guidance(config, scales)
        guider = NestedGuider(model, conditioning, guidance)
        return io.NodeOutput(guider, ui=warn(cls, list_warnings(config, guidance=guidance)))


class Sampler(checks.Node):
    """MODEL, CONDITIONING, LATENT -> LATENT."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Sampler",
            "sampling",
            "Guider and sampling in one box.",
            [
                io.Model.Input("model", tooltip="Of Load Model or Windows."),
                io.Conditioning.Input("conditioning", tooltip="Of Conditioning (ACTalker)."),
                io.Latent.Input("latent", tooltip="Of Conditioning (ACTalker)."),
                *sockets.noise_inputs(),
                io.Combo.Input(
                    "sampler_name",
                    options=list(sampler_names()),
                    default="euler",
                    tooltip="euler is what the model was made for.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=list(scheduler_names()),
                    default=DEFAULT_SCHEDULE,
                    tooltip="karras is what the model was made for.",
                ),
                *scale_inputs(),
                sockets.fraction_input(
                    "denoise",
                    1.0,
                    limits.DENOISE.minimum,
                    limits.DENOISE.maximum,
                    "1 starts from noise; less keeps more of the latent that comes in.",
                ),
            ],
            [io.Latent.Output("sampled_latent", tooltip="For Decode.")],
            hidden=[io.Hidden.unique_id],
            aliases=["ksampler", "guidance scale", "talking head"],
            advanced=["sampler_name", "scheduler", *SCALE_ENDS, "denoise"],
        )

    @classmethod
    @show_warnings
    def execute(
        cls,
        model: ModelPatcher,
        conditioning: list[Any],
        latent: dict[str, Any],
        seed: int,
        steps: int,
        sampler_name: str,
        scheduler: str,
        denoise: float,
        **scales: float,
    ) -> io.NodeOutput:
        config = check_model(model).config
        guidance = make_guidance(config, scales)
        log_warnings(list_warnings(config, guidance=guidance))
        guider = NestedGuider(model, conditioning, guidance)
        steps = to_option(steps, limits.STEPS) or config.sampling.steps
        schedule = Schedule(steps, sampler_name, scheduler, denoise)
        with show_stages(cls, {SAMPLING: 1.0}):
            return io.NodeOutput(sample(guider, latent, seed, schedule))


class Preflight(checks.Node):
    """MODEL, CONDITIONING -> what the clip will cost."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Preflight",
            "sampling",
            "Says what a clip will cost before the wait: windows, passes, memory and time. For the "
            "time it runs one window.",
            [
                io.Model.Input("model", tooltip="Of Load Model or Windows."),
                io.Conditioning.Input("conditioning", tooltip="Of Conditioning (ACTalker)."),
                sockets.steps_input("As in the sampler."),
                io.Boolean.Input(
                    "measure_time", default=True, tooltip="Off counts only, without the model."
                ),
                *scale_inputs(),
            ],
            [io.String.Output("report", tooltip="Shown on the node.")],
            is_output_node=True,
            hidden=[io.Hidden.unique_id],
            aliases=["cost estimate", "memory estimate", "vram", "time estimate", "dry run"],
            advanced=SCALE_ENDS,
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        conditioning: list[Any],
        steps: int,
        measure_time: bool,
        **scales: float,
    ) -> io.NodeOutput:
        """Count, then measure."""
        config = check_model(model).config
        clip, windows = get_conditioning(conditioning), get_windows(model)
        sigmas = (
            Schedule(to_option(steps, limits.STEPS) or config.sampling.steps).sigmas(model).tolist()
        )
        guidance = make_guidance(config, scales)
        cost = estimate_cost(clip, windows, guidance, sigmas, get_interval(model))
        lines = counted_lines(cost) + memory_lines(model, clip, cost.passes)
        if measure_time:
            passes = list(Pass)[-cost.passes :]
            lines.append(time_line(cost, measure_evaluation_s(model, clip, passes)))
        report = "\n".join(lines)
        return io.NodeOutput(report, ui=show(cls, report))


def counted_lines(cost: CostEstimate) -> list[str]:
    """Frames, windows and passes."""
    return [
        f"{cost.frames} frames, {cost.steps} steps, {cost.windows / cost.steps:.1f} windows a step",
        f"{cost.evaluations} evaluations of the model (four passes everywhere: "
        f"{cost.most_evaluations})",
    ]


def time_line(cost: CostEstimate, seconds: float) -> str:
    """How long sampling will take."""
    total_s = round(cost.evaluations * seconds)
    return f"sampling about {total_s // 60} min {total_s % 60} s ({seconds:.2f} s per evaluation)"
