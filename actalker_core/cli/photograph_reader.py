"""Reads what moves a photograph: the portrait with landmarks, and the faces of clips."""

import logging
from functools import cached_property
from itertools import islice
from pathlib import Path

from torch import Tensor

from ..control.motion.clip import DrivingMotion, move_by_frames
from ..control.regions import draw_region, grow_mask
from ..errors import MediaError
from ..faces import Box, Face, SearchDepth, open_landmarker
from ..faces.box import check_box, image_box
from ..faces.face import advise, box_of_mask, face_in_box, find_face
from ..faces.landmarker import Landmarker
from ..geometry.mesh import FaceMesh, load_mesh
from ..geometry.photograph import Photograph
from ..geometry.portrait import fit_image, open_photograph
from ..media import Audio, has_audio, load_image
from ..models.photograph.plan import PROCEDURAL, Driver
from .inputs import PORTRAIT_ADVICE, Reader
from .types import WHOLE_IMAGE

log = logging.getLogger(__name__)


class PhotographReader(Reader):
    """Reads what moves a photograph; faces come with landmarks."""

    @cached_property
    def portrait_image(self) -> Tensor:
        """(3, H, W) in 0…1, no larger than can be drawn."""
        return fit_image(load_image(self.options.portrait))

    @cached_property
    def finder(self) -> Landmarker:
        """The landmarker; a box is not enough here."""
        return open_landmarker(self.options.landmarker, report=self.bars.report)

    @cached_property
    def mesh(self) -> FaceMesh:
        """The canonical face, from the landmarker's own file."""
        return load_mesh(self.finder.path)

    @cached_property
    def photograph(self) -> Photograph:
        """The portrait with its face."""
        return open_photograph(
            self.portrait_image,
            self.portrait_face,
            self.finder,
            self.mesh,
            own_teeth=self.options.mouth != PROCEDURAL,
        )

    @cached_property
    def portrait_face(self) -> Face:
        """Found, or recognised in a box or mask drawn by hand."""
        options, image = self.options, self.portrait_image
        height, width = int(image.shape[1]), int(image.shape[2])
        box: Box | None = options.face_box
        if box is None and options.face_mask is not None:
            box = box_of_mask(load_image(options.face_mask).mean(0), (height, width))
        if box is None:
            with advise(PORTRAIT_ADVICE):
                return find_face(self.finder, image, options.face, "portrait")
        box = image_box(width, height) if box == WHOLE_IMAGE else box
        return face_in_box(image, check_box(box, width, height, "portrait"), self.finder)

    @cached_property
    def driving_motion(self) -> DrivingMotion | None:
        """What the face of the driving clip does."""
        path, box = self.options.driving, self.options.driving_box
        return self._measure_clip(path, box, "driving clip")

    @cached_property
    def head_motion(self) -> DrivingMotion | None:
        """What the face does whose head alone drives."""
        return self._measure_clip(self.options.head, self.options.head_box, "head clip")

    @cached_property
    def driver(self) -> Driver | None:
        """The driving clip, whose mouth may be shown."""
        motion = self.driving_motion
        if self.driving is None or motion is None or motion.track.landmarks is None:
            return None
        return Driver(self.driving, motion.track.landmarks)

    @cached_property
    def sound(self) -> Audio | None:
        """What is heard: what was chosen, else the speech, else that of the driving clip."""
        if self.options.sound is not None or self.options.audio is not None:
            return self.read_sound(self.options.sound) or self.audio
        path: Path | None = self.options.driving
        if path is None or not has_audio(path):
            return None
        try:
            return self.read_sound(path)
        except MediaError as error:  # the picture is what was asked for
            log.warning("The driving clip's own sound is left out: %s", error)
            return None

    def read_region(self, region: Path | str | None) -> Tensor | None:
        """Where the picture may change: (H, W) in 0…1, from an image or parts of the face."""
        if region is None:
            return None
        if isinstance(region, Path):
            return load_image(region).mean(0)
        height, width = self.portrait_image.shape[1:]
        mask = draw_region(region, self.portrait_face, int(height), int(width))
        return grow_mask(mask, self.options.grow_px)[0, 0]

    def _measure_clip(self, path: Path | None, box: Box | None, name: str) -> DrivingMotion | None:
        frames, options = self.read_frames(path), self.options
        if frames is None:
            return None
        max_frames = options.frames
        with advise(f"Or give --{name.split()[0]}-box around it."):
            return move_by_frames(
                islice(frames, max_frames),
                self.finder if box is None else BoxLandmarker(self.finder.path, box),
                self.mesh,
                fps=self.fps,
                choice=options.driving_face,
                neutral_seconds=options.neutral,
                lips=options.lips,
                name=name,
                on_frame=lambda done: self.bars.report("Finding faces", done, max_frames),
            )


class BoxLandmarker(Landmarker):
    """Finds a face in a box first, as a drawn one is only recognised there, and then as usual."""

    def __init__(self, path: Path, box: Box) -> None:
        super().__init__(path)
        self._box: Box | None = box

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        """See `FaceFinder`; the image is (3, H, W)."""
        if self._box is None:
            return super().find(image, depth)
        height, width = int(image.shape[1]), int(image.shape[2])
        box = image_box(width, height) if self._box == WHOLE_IMAGE else self._box
        face = self.find_near(image, check_box(box, width, height, "clip"))
        if face is not None and depth != "whole":  # a glance comes before the search
            self._box = None
        return [] if face is None else [face]
