"""Landmarks -> the 52 ARKit blendshapes, by the network in MediaPipe's `face_landmarker.task`.

OpenCV reads this network only from 4.12 on, so its few layers are written out here; its weights
stay in the file. Letters: n faces, t tokens, d channels.
"""

import numpy as np
from numpy.typing import NDArray

from .tflite import read_float16_tensors

Array = NDArray[np.float32]

NAMES = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft"),
    *("browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft"),
    *("eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft"),
    *("eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen"),
    *("jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower"),
    *("mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft"),
    *("mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft"),
    *("mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
"""In the order of the network's outputs."""

# fmt: off
INPUTS = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
    473, 474, 475, 476, 477,
)
# fmt: on
"""The landmarks that the network reads."""

ROOT = "model_1/GhumMarkerPoserMlpMixerGeneral/"
BLOCKS = 4
EPSILON = 1e-6


class Blendshapes:
    """An MLP-Mixer over the landmarks of a face.

    Source: Tolstikhin et al., arXiv 2105.01601; Grishchenko et al., arXiv 2309.05782.
    """

    def __init__(self, tflite: bytes) -> None:
        weights = dict(read_float16_tensors(tflite))
        self._weights = {key.removeprefix(ROOT): value for key, value in weights.items()}

    def __call__(self, landmarks: Array) -> Array:
        """(b, 478, 3) in pixels -> (b, 52) in 0…1, named by `NAMES`."""
        points = landmarks[:, INPUTS, :2]
        # Centred and scaled, so that neither place nor size of the face matters; 0.5 was trained.
        points = points - points.mean(1, keepdims=True)
        size = np.linalg.norm(points, axis=2, keepdims=True).mean(1, keepdims=True)
        points = points / np.maximum(size, EPSILON) * 0.5
        # The first layer mixes the points of each axis into fewer tokens of two channels.
        tokens = self._linear(points.swapaxes(1, 2), "conv2d").swapaxes(1, 2)
        x = self._linear(tokens, "MLPMixer/input_tokens_embedding")
        # A class token in front gathers what the blocks mix into it; only that one is read.
        class_token = self._weights["MLPMixer/AddExtraTokens/strided_slice_1"].reshape(1, 1, -1)
        x = np.concatenate([class_token.repeat(len(x), axis=0), x], axis=1)
        for block in range(BLOCKS):
            x = self._mix(x, f"MLPMixer/MixerBlock_{block}")
        logits = self._linear(x[:, 0], "output_blendweights")
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)

    def _mix(self, x: Array, block: str) -> Array:
        """(b, l, c): first every channel over all tokens, then every token over all channels."""
        columns = self._normalise(x, f"{block}/layer_norm1").swapaxes(1, 2)
        x = x + self._mlp(columns, f"{block}/mlp_token_mixing").swapaxes(1, 2)
        rows = self._normalise(x, f"{block}/layer_norm2")
        return x + self._mlp(rows, f"{block}/mlp_channel_mixing")

    def _mlp(self, x: Array, name: str) -> Array:
        x = np.maximum(self._linear(x, f"{name}/Mlp_1"), 0)
        return self._linear(x, f"{name}/Mlp_2")

    def _linear(self, x: Array, name: str) -> Array:
        kernel = self._weights[f"{name}/Conv2D"]  # out 1 1 in
        bias = self._weights[f"{name}/BiasAdd/ReadVariableOp"]
        # One large product: of many small ones NumPy's threads would mostly wait for each other.
        rows = x.reshape(-1, x.shape[-1]) @ kernel.reshape(len(kernel), -1).T
        rows += bias
        return np.asarray(rows.reshape(*x.shape[:-1], len(kernel)), np.float32)

    def _normalise(self, x: Array, name: str) -> Array:
        """Layer norm over the channels, with a scale and no shift."""
        scale = self._weights[f"{name}/batchnorm/mul/ReadVariableOp"]
        x = x - x.mean(-1, keepdims=True)
        return np.asarray(x / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON) * scale, np.float32)
