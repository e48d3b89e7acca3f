"""Which vertices of the mesh lie on the oval, the lips, the lids, the brows and the chin.

Rows of the lips run from the person's right corner to the left one. Left and right are the
person's own, so that the right side has the smaller x.
"""

from ..faces.topology import (
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    OVAL,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)

__all__ = ["LEFT_BROW", "LEFT_EYE", "OVAL", "RIGHT_BROW", "RIGHT_EYE"]

EYES = (LEFT_EYE, RIGHT_EYE)
"""Closed rings, the lower lid from the outer to the inner corner, the upper one back."""
BROWS = (LEFT_BROW, RIGHT_BROW)
IRISES = (LEFT_IRIS, RIGHT_IRIS)
"""Landmarks of the pupils, which the mesh does not have; the four after each are its rim."""

UPPER_LIP_ROWS = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
)
LOWER_LIP_ROWS = (
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)
"""From the skin inwards; the two rows of a pair share their corners."""
INNER_LIPS = (*UPPER_LIP_ROWS[-1], *LOWER_LIP_ROWS[-1][-2:0:-1])
"""The ring around the opening of the mouth."""
LIP_PAIRS = tuple(zip(UPPER_LIP_ROWS[-1][1:-1], LOWER_LIP_ROWS[-1][1:-1], strict=True))
"""(upper, lower) vertices of the inner lips that meet when the mouth is shut."""
MOUTH_CORNERS = (61, 291)
LIPS = tuple(sorted({i for row in (*UPPER_LIP_ROWS, *LOWER_LIP_ROWS) for i in row}))

LEFT_LID_PAIRS, RIGHT_LID_PAIRS = (tuple(zip(eye[:8:-1], eye[1:8], strict=True)) for eye in EYES)
"""(upper, lower) vertices of the lids that meet when the eye is shut, from the outer corner."""
LID_PAIRS = (LEFT_LID_PAIRS, RIGHT_LID_PAIRS)
EYE_CORNERS = tuple((eye[0], eye[8]) for eye in EYES)
"""(outer, inner) of each eye."""

# fmt: off
CHIN = (
    152, 148, 377, 176, 400, 149, 378, 150, 379, 199, 175, 200, 18, 208, 428, 171, 396, 136, 365,
    201, 421,
)
NOSE = (
    1, 2, 4, 5, 6, 168, 197, 195, 98, 327, 97, 326, 94, 19, 141, 370, 129, 358, 49, 279, 64, 294,
    240, 460,
)
UPPER_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 234, 127, 162, 21, 54, 103, 67, 109,
)
# fmt: on
"""The oval from temple to temple over the forehead, which no muscle moves."""
FOREHEAD = (9, 8, 151)
"""Between the brows and above."""
CHEEKS = (280, 330, 425, 411, 427, 50, 101, 205, 187, 207)
