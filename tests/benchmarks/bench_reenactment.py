"""A clip's frame moved as its other frames: how close to what really happened."""

import cv2
import numpy as np

from actalker_core.faces.landmarker import landmarks_box
from actalker_core.geometry.mesh import load_mesh
from actalker_core.geometry.mouth import MouthPixels
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.retarget import FaceMotion, choose_neutral, measure_motion
from actalker_core.geometry.rig import Rig
from actalker_core.training.likeness import psnr_db, ssim
from benchmarks.driven_faces import (
    TASK,
    Array,
    Faces,
    mean_shape,
    open_landmarker,
    read_driver,
    read_measures,
)
from benchmarks.harness import say

MIN_SSIM, MIN_PSNR_DB = 0.05, 1.0
"""What geometry must be better by than a similarity warp."""


def face_of(faces: Faces, frame: int, image: Array) -> Array:
    """The part of an image (H, W, 3) where the face of a frame is."""
    x0, y0, x1, y1 = (round(v) for v in landmarks_box(faces.landmarks[frame]))
    return image[max(y0, 0) : y1, max(x0, 0) : x1]


def warp_by_similarity(faces: Faces, source: int, frame: int) -> Array:
    """The source moved, turned and scaled within the image, as the landmarks went."""
    points = (faces.landmarks[i, :, :2].astype(np.float32) for i in (source, frame))
    matrix, _ = cv2.estimateAffinePartial2D(*points, method=cv2.LMEDS)
    height, width = faces.frames[source].shape[:2]
    return cv2.warpAffine(
        faces.frames[source], matrix, (width, height), borderMode=cv2.BORDER_REFLECT
    )


def reenact(faces: Faces, source: int, photograph: Photograph, motion: FaceMotion) -> None:
    """Print PSNR and SSIM of the face for each way of guessing the other frames."""
    guesses: dict[str, list[tuple[float, float]]] = {}
    for i in range(len(motion)):
        if i == source:
            continue
        pixels = MouthPixels(faces.frames[i], faces.landmarks[i])
        images = {
            "still": faces.frames[source],
            "similarity": warp_by_similarity(faces, source, i),
            "geometry": photograph.render(motion.frame(i)).image,
            "and its mouth": photograph.render(motion.frame(i), mouth=pixels).image,
        }
        target = [face_of(faces, i, faces.frames[i])]
        for name, image in images.items():
            face = [face_of(faces, i, image)]
            guesses.setdefault(name, []).append((psnr_db(face, target), ssim(face, target)))
    means = {name: np.mean(values, axis=0) for name, values in guesses.items()}
    for name, (psnr, likeness) in means.items():
        say(f"   {name:<14} {psnr:6.2f} dB   SSIM {likeness:.3f}")
    psnr, likeness = means["geometry"] - means["similarity"]
    verdict = "" if psnr >= MIN_PSNR_DB and likeness >= MIN_SSIM else "   MISSED"
    say(f"   gain of geometry over similarity {psnr:+.2f} dB, {likeness:+.3f}{verdict}")


def main() -> None:
    faces = read_driver(open_landmarker())
    mesh = load_mesh(TASK)
    rig = Rig(mesh)
    sources = {
        "neutral": choose_neutral(faces.landmarks, faces.blendshapes),
        "widest smile": int(mean_shape(faces, "mouthSmile").argmax()),
        "widest mouth": int(read_measures(faces)["mouth openness"].argmax()),
    }
    for name, source in sources.items():
        say(f"From the {name}, frame {source}")
        motion = measure_motion(faces.landmarks, faces.blendshapes, mesh, rig, source)
        photograph = Photograph(faces.frames[source], faces.landmarks[source], mesh, rig)
        reenact(faces, source, photograph, motion)
