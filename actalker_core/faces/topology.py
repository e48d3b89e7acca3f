"""Which of MediaPipe's 478 face landmarks is what. Left and right are the person's own.

Source: mediapipe/python/solutions/face_mesh_connections.py; 468 and 473 are the irises.
"""

COUNT = 478

LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_BROW = (276, 283, 282, 295, 285, 300, 293, 334, 296, 336)
RIGHT_BROW = (46, 53, 52, 65, 55, 70, 63, 105, 66, 107)
# fmt: off
LIPS = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
# fmt: on
"""Closed outlines, in order; those of the brows are not."""

LEFT_CORNERS, RIGHT_CORNERS = (362, 263), (33, 133)
"""The corners of an eye, from the person's right to the left."""
LEFT_LIDS, RIGHT_LIDS = ((385, 386, 387), (380, 374, 373)), ((160, 159, 158), (144, 145, 153))
"""Points of the upper lid and those below them on the lower one."""
LEFT_IRIS, RIGHT_IRIS = 473, 468
NOSE_TIP, NOSE_BASE = 1, 2
INNER_LIPS = (13, 14)
FOREHEAD, CHIN = 10, 152
RIGHT_TEMPLE, LEFT_TEMPLE = 234, 454
