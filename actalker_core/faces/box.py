"""Rectangles in an image, in pixels."""

from ..errors import InputError

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels; x1 and y1 are outside."""

SAME_FACE_IOU = 0.3
"""Boxes with more in common are around one face."""
MAX_COORDINATE_PX = 100_000
"""No edge of a box by hand lies further from the image's corner."""


def image_box(width: int, height: int) -> Box:
    """The box of a whole image."""
    return 0.0, 0.0, float(width), float(height)


def square_box(box: Box) -> Box:
    """The square with the same centre whose side is the longer edge."""
    side = longer_side(box)
    return _resize(box, side, side)


def enlarge_box(box: Box, factor: float) -> Box:
    """The box scaled about its centre."""
    return _resize(box, factor * (box[2] - box[0]), factor * (box[3] - box[1]))


def _resize(box: Box, width: float, height: float) -> Box:
    x, y = box_centre(box)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def box_part(box: Box, shares: Box) -> Box:
    """A part of a box; `shares` are its edges in 0…1 of the box's width and height."""
    width, height = box[2] - box[0], box[3] - box[1]
    x0, y0, x1, y1 = shares
    return box[0] + x0 * width, box[1] + y0 * height, box[0] + x1 * width, box[1] + y1 * height


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes: 0 apart, 1 equal."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(width, 0) * max(height, 0)
    union = box_area(a) + box_area(b) - intersection
    return intersection / union if union > 0 else 0.0


def is_same_face(a: Box, b: Box) -> bool:
    """Whether two boxes are around one face: they overlap, or the smaller lies on the larger."""
    # A nose or a mouth taken for a face is too small to overlap it by much, but its middle tells.
    smaller, larger = sorted((a, b), key=box_area)
    x, y = box_centre(smaller)
    lies_on = larger[0] < x < larger[2] and larger[1] < y < larger[3]
    return lies_on or box_iou(a, b) > SAME_FACE_IOU


def longer_side(box: Box) -> float:
    """In pixels."""
    return max(box[2] - box[0], box[3] - box[1])


def box_area(box: Box) -> float:
    """In square pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def box_centre(box: Box) -> tuple[float, float]:
    """Its middle, x and y."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def check_box(box: Box, width: int, height: int, name: str) -> Box:
    """The box itself, if it has an area and touches the image.

    Args:
        name: of the image, for errors: `portrait`, `driving clip`.

    Raises:
        InputError: it is empty, lies outside or reaches beyond `MAX_COORDINATE_PX`.
    """
    x0, y0, x1, y1 = box
    has_area = max(map(abs, box)) <= MAX_COORDINATE_PX and x1 - x0 >= 1 and y1 - y0 >= 1
    if not has_area or x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
        raise InputError(
            f"Face box of the {name}: expected x0,y0,x1,y1 in pixels with x0 < x1 and y0 < y1 "
            f"inside {width}x{height}, got {x0:g},{y0:g},{x1:g},{y1:g}. Correct it, or leave it "
            "out."
        )
    return box
