"""A photograph moves as a clip does, read back by the landmarker: correlation and slope."""

import numpy as np

from actalker_core.faces import measure
from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry.mesh import load_mesh
from actalker_core.geometry.mouth import MouthPixels
from actalker_core.geometry.numbers import FrameNumbers
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.retarget import measure_motion
from actalker_core.geometry.rig import Rig
from benchmarks.driven_faces import (
    TASK,
    Faces,
    open_landmarker,
    read_driver,
    read_faces,
    read_measures,
    read_portrait,
)
from benchmarks.harness import say

SIDE_PX = 512
LIMITS = {
    "mouth openness": 0.95,
    "mouth width": 0.95,
    "eyes": 0.95,
    "yaw": 0.95,
    "roll": 0.95,
    "pitch": 0.9,
    "brow height": 0.85,
    "smile": 0.8,
    "gaze right": 0.8,
    "gaze up": 0.8,
}
SLOPES = (0.7, 1.1)
MAX_BLINK = 0.12
MAX_REST = 0.1
SHAPE_EXAMPLES = {
    "jawOpen": ("mouth openness",),
    "mouthSmile": ("smile", "mouth width"),
    "mouthPucker": ("mouth width",),
    "browInnerUp": ("brow height",),
    "browDown": ("brow height", "browDown"),
}


def numbers_of(**values: float) -> FrameNumbers:
    """Blendshapes by name; a name without a side is both sides'."""
    shapes = [
        values.get(n, values.get(n.removesuffix("Left").removesuffix("Right"), 0.0)) for n in NAMES
    ]
    rest = FrameNumbers.rest()
    return FrameNumbers(
        np.array(shapes), rest.rotation_degrees, rest.translation, rest.scale, rest.gaze
    )


def compare(driver: Faces, portrait: Faces) -> None:
    """r and slope of each measure, and whether they are within the limits."""
    targets, results = read_measures(driver), read_measures(portrait)
    for name, target in targets.items():
        result = results[name]
        r = float(np.corrcoef(target, result)[0, 1])
        slope = float(np.polyfit(target, result, 1)[0])
        limit = LIMITS.get(name)
        good = limit is None or (r >= limit and SLOPES[0] <= slope <= SLOPES[1])
        say(
            f"   {name:<16} r {r:6.3f} (at least {limit or '–'})   slope {slope:5.2f}   "
            f"spread {target.std():7.3f} -> {result.std():7.3f}   {'' if good else 'MISSED'}"
        )


def main() -> None:
    landmarker = open_landmarker()
    mesh = load_mesh(TASK)
    rig = Rig(mesh)
    portrait, driver = read_portrait(landmarker, SIDE_PX), read_driver(landmarker)
    photograph = Photograph(
        portrait.frames[0], portrait.landmarks[0], mesh, rig, portrait.blendshapes[0]
    )
    motion = measure_motion(driver.landmarks, driver.blendshapes, mesh, rig)
    say(f"{len(motion)} frames; neutral {motion.neutral}; {motion.doubt or 'a neutral face'}")
    pixels = [MouthPixels(*face) for face in zip(driver.frames, driver.landmarks, strict=True)]
    for title, mouths in (("Its own mouth", [None] * len(motion)), ("The driver's", pixels)):
        say(title)
        frames = [
            photograph.render(motion.frame(i), mouth=mouth).image for i, mouth in enumerate(mouths)
        ]
        compare(driver, read_faces(landmarker, frames))
    rest = photograph.render(FrameNumbers.rest()).image.astype(float)
    change = float(np.abs(rest - portrait.frames[0]).mean())
    say(f"   at rest {change:.3f} of 255 (at most {MAX_REST})")
    shut = read_faces(landmarker, [photograph.render(numbers_of(eyeBlink=1.0)).image])
    openness = measure.eye_openness(shut.landmarks)[0]
    open_eyes = measure.eye_openness(portrait.landmarks)[0]
    say(f"   a blink reads {openness.round(3)} of {open_eyes.round(3)} (below {MAX_BLINK})")
    before = read_measures(portrait)
    for shape, names in SHAPE_EXAMPLES.items():
        after = read_measures(
            read_faces(landmarker, [photograph.render(numbers_of(**{shape: 1.0})).image])
        )
        changes = (f"{name} {before[name][0]:.2f} -> {after[name][0]:.2f}" for name in names)
        say(f"   {shape} 1: {', '.join(changes)}")
