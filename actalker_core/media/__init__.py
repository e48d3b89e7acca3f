"""Images, sound and video in and out: OpenCV for images, PyAV for the rest."""

from .audio import Audio, as_float
from .audio_reader import has_audio, load_audio
from .images import check_image_path, load_image, save_image
from .video_reader import VideoFrames, read_frames, read_nominal_fps, read_nominal_seconds
from .video_writer import check_video_path, write_video

__all__ = [
    "Audio",
    "VideoFrames",
    "as_float",
    "check_image_path",
    "check_video_path",
    "has_audio",
    "load_audio",
    "load_image",
    "read_frames",
    "read_nominal_fps",
    "read_nominal_seconds",
    "save_image",
    "write_video",
]
