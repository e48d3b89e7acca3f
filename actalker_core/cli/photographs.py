"""`animate`: a photograph and what moves it -> video; and the moved portrait as a driving clip."""

import argparse
import logging
from dataclasses import replace
from functools import cached_property

from ..control.motion.signal import save_motion
from ..faces import Track
from ..media import check_video_path, write_video
from ..models.photograph.pipeline import MovedFrames, animate, trace_face
from ..models.photograph.plan import DEFAULT_FPS, PhotographPlan, plan_photograph
from .inputs import Reader
from .motion import check_motion_texts, read_motion
from .photograph_reader import PhotographReader
from .progress import Bars
from .refinement import draw_chunks, open_network

log = logging.getLogger(__name__)


def run_animate(options: argparse.Namespace) -> None:
    """Photograph + what moves it -> video."""
    check_video_path(options.out, options.fps)
    check_motion_texts(options)
    network = open_network(options)
    with Bars() as bars:
        plan = plan_animation(options, PhotographReader(options, options.fps or DEFAULT_FPS, bars))
        video = animate(plan)
        if network is not None:
            video = replace(video, chunks=draw_chunks(options, plan, network))
        chunks = bars.report_chunks(video.chunks, video.frames, "Drawing")
        count = write_video(options.out, chunks, video.fps, video.audio)
    log.info("%s: %d frames at %g fps", options.out, count, video.fps)


def plan_animation(options: argparse.Namespace, reader: PhotographReader) -> PhotographPlan:
    """What `animate` draws; saves the numbers where they are asked for."""
    motion = read_motion(options, reader)
    plan = plan_photograph(
        reader.photograph,
        motion.signal,
        fps=reader.fps,
        max_frames=options.frames,
        lips=options.lips,
        mouth=options.mouth,
        driver=reader.driver,
        drives_mouth=motion.mouth_source == "clip",
        mask=reader.read_region(options.region),
        sound=reader.sound,
    )
    if options.save_numbers is not None:
        save_motion(options.save_numbers, plan.motion)
        log.info("%s: %d frames of numbers", options.save_numbers, plan.frames)
    return plan


class MovedReader(Reader):
    """Its driving clip is the portrait itself, moved by numbers."""

    @cached_property
    def plan(self) -> PhotographPlan:
        """How the portrait moves."""
        return plan_animation(self.options, self.photograph_reader)

    @cached_property
    def photograph_reader(self) -> PhotographReader:
        """What moves the portrait."""
        return PhotographReader(self.options, self.fps, self.bars)

    @cached_property
    def driving(self) -> MovedFrames:
        """The frames (3, H, W) of the moved portrait."""
        return MovedFrames(self.plan)

    @cached_property
    def driving_face(self) -> Track:
        """The portrait's face in them."""
        return trace_face(self.plan, self.photograph_reader.portrait_face.box)

    @cached_property
    def head(self) -> None:
        """The clip for the head moves the portrait, and drives no other way."""
        return None
