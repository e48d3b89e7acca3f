"""What the line of OpenCV in requirements.txt does to what is there: `make test-requirements`.

Each environment is made anew, from the network, and thrown away. Ends with 1 if in one of them cv2
stops working, loses the modules of contrib or leaves version 4, or if numpy moves.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
OLD, NEW = "numpy==1.26.4", "numpy==2.3.5"
STARTS = (
    (NEW,),
    (OLD, "opencv-python==4.11.0.86"),
    (OLD, "opencv-contrib-python==4.11.0.86"),
    (OLD, "opencv-python-headless==4.11.0.86"),
    (NEW, "opencv-contrib-python==4.13.0.92"),
    (NEW, "opencv-python==5.0.0.93"),
)
PROBE = """
import json
import numpy as np
state = {"numpy": np.__version__, "cv2": None, "works": False, "contrib": False}
try:
    import cv2
    state["cv2"] = cv2.__version__
    image = np.zeros((32, 32, 3), np.uint8)
    corners = np.array([[1, 1], [20, 1], [20, 20]], np.int32)
    cv2.fillPoly(image, [corners], (1, 2, 3), cv2.LINE_AA, 0)
    cv2.polylines(image, [cv2.convexHull(corners)], True, (9, 9, 9), 1, cv2.LINE_AA, 0)
    read = cv2.imdecode(cv2.imencode(".png", image)[1], cv2.IMREAD_COLOR)
    assert (read == image).all()
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned = cv2.warpAffine(bgr, np.eye(2, 3), (32, 32), flags=flags)
    assert (turned == bgr).all()
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    cv2.GaussianBlur(cv2.erode(cv2.dilate(small, disc), disc), (5, 5), 1)
    assert cv2.dnn.blobFromImage(small).shape == (1, 3, 8, 8)
    assert callable(cv2.dnn.readNetFromTFLite)
    state["works"] = True
    import cv2.ximgproc
    state["contrib"] = callable(cv2.ximgproc.guidedFilter)
except Exception:
    pass
print(json.dumps(state))
"""


def opencv_line() -> str:
    """The requirement, as ComfyUI-Manager installs it: alone."""
    lines = (REPOSITORY / "requirements.txt").read_text("utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("opencv"))
    return line


def probe(python: Path) -> dict[str, Any]:
    """Versions, and whether cv2 does what the pack asks of it."""
    ran = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)


def install(python: Path, *what: str) -> None:
    """By pip, quietly."""
    subprocess.run([python, "-m", "pip", "install", "--quiet", *what], check=True)


def harm(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What got worse."""
    found = [] if after["works"] else ["cv2 does not work"]
    if before["numpy"] != after["numpy"]:
        found.append(f"numpy is {after['numpy']}")
    if before["contrib"] and not after["contrib"]:
        found.append("contrib is lost")
    if (before["cv2"] or "").startswith("4.") and not (after["cv2"] or "").startswith("4."):
        found.append("cv2 left version 4")
    return found


def main() -> int:
    """Print a table; 1 if an environment was harmed."""
    harmed = False
    sys.stdout.write("| there before | cv2 | contrib | harm |\n| --- | --- | --- | --- |\n")
    for start in STARTS:
        with tempfile.TemporaryDirectory() as folder:
            venv.create(folder, with_pip=True)
            python = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
            install(python, *start)
            before = probe(python)
            install(python, opencv_line())
            after = probe(python)
        worse = harm(before, after)
        harmed |= bool(worse)
        cells = (
            ", ".join(start),
            f"{before['cv2'] or 'none'} → {after['cv2']}",
            f"{before['contrib']} → {after['contrib']}",
            ", ".join(worse) or "none",
        )
        sys.stdout.write(f"| {' | '.join(cells)} |\n")
        sys.stdout.flush()
    return int(harmed)


if __name__ == "__main__":
    sys.exit(main())
