"""A moved photograph from end to end: frames per second, and memory over time: `make bench`.

Needs the face landmarker. Frames are 512², of the portrait that matplotlib brings.
"""

import resource
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from helpers.hopper import load_hopper
from torch import Tensor

from actalker_core.control.motion.clip import move_by_frames
from actalker_core.control.motion.idle import move_idly
from actalker_core.control.motion.mix import mix_motion
from actalker_core.control.motion.speech import move_by_speech
from actalker_core.faces import find_face, require_landmarker
from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.mesh import FaceMesh, load_mesh
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.portrait import open_photograph
from actalker_core.media import Audio, VideoFrames, write_video
from actalker_core.models.photograph.pipeline import animate
from actalker_core.models.photograph.plan import Driver, plan_photograph
from actalker_core.synthetic.demo import make_speech
from benchmarks.harness import say, seconds_of

FPS, SECONDS = 25.0, 10.0
LONG_FRAMES, WARM_FRAMES = 3000, 300
"""Of the video whose memory is measured, and until when it may grow."""
FLAT_BYTES = 30e6


def draw_talk(photograph: Photograph, speech: Audio, path: Path) -> int:
    """Speech and idle life, from the sound to the file; the number of frames."""
    frames = int(speech.seconds * FPS)
    sources = {
        "audio": move_by_speech(speech, frames, FPS),
        "idle": move_idly(frames, FPS, speech=speech),
    }
    motion = mix_motion(sources, frames=frames, fps=FPS, audio=speech)
    video = animate(plan_photograph(photograph, motion, sound=speech))
    return write_video(path, video.chunks, FPS, video.audio)


def draw_driven(
    photograph: Photograph, landmarker: Landmarker, mesh: FaceMesh, clip: Path, path: Path
) -> int:
    """A driving clip, from its file to the result's; the number of frames."""
    frames = VideoFrames(clip, FPS)
    driving = move_by_frames(frames, landmarker, mesh, fps=FPS)
    landmarks = driving.track.landmarks
    assert landmarks is not None
    plan = plan_photograph(photograph, driving.motion, driver=Driver(frames, landmarks))
    return write_video(path, animate(plan).chunks, FPS)


def watch_memory(chunks: Iterable[Tensor], peaks: dict[int, int]) -> Iterator[Tensor]:
    """The same chunks (f, 3, H, W); notes the peak of memory in bytes after each."""
    count = 0
    for chunk in chunks:
        count += len(chunk)
        peaks[count] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        yield chunk


def main() -> None:
    path = require_landmarker()
    landmarker, mesh = Landmarker(path), load_mesh(path)
    image = load_hopper()[:, :512]
    photograph = open_photograph(image, find_face(landmarker, image), landmarker, mesh)
    with tempfile.TemporaryDirectory() as folder:
        talk, drive = Path(folder, "talk.mp4"), Path(folder, "driven.mp4")
        speech = make_speech(SECONDS)
        counts: list[int] = []
        seconds = seconds_of(lambda: counts.append(draw_talk(photograph, speech, talk)))
        say(f"Speech and idle, from sound to file: {counts[-1] / seconds:.1f} frames per second")
        seconds = seconds_of(
            lambda: counts.append(draw_driven(photograph, landmarker, mesh, talk, drive))
        )
        say(f"A driving clip, from file to file: {counts[-1] / seconds:.1f} frames per second")
        peaks: dict[int, int] = {}
        plan = plan_photograph(photograph, move_idly(LONG_FRAMES, FPS))
        write_video(drive, watch_memory(animate(plan).chunks, peaks), FPS)
        early = max(peak for count, peak in peaks.items() if count <= WARM_FRAMES)
        growth = max(peaks.values()) - early
        verdict = "flat" if growth <= FLAT_BYTES else "NOT FLAT"
        say(f"Memory over {LONG_FRAMES} frames: {verdict}, {growth / 1e6:.1f} MB more than after")
        say(f"   {WARM_FRAMES}, of {max(peaks.values()) / 1e6:.0f} MB")
    say()
