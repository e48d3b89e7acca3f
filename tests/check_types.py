"""Check the types of the core and of the nodes: `python tests/check_types.py [options of mypy]`.

To ComfyUI the checkout is one package, whatever its folder is called, and the nodes import the core
from above themselves (`...actalker_core`). mypy wants a name for it, which a link gives.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINK = ROOT / ".mypy_cache" / "checkout" / "actalker"
PACKAGES = ("actalker.actalker_core", "actalker.nodes")


def main(options: list[str]) -> int:
    LINK.parent.mkdir(parents=True, exist_ok=True)
    if not LINK.is_symlink():
        LINK.symlink_to(Path("..", ".."), target_is_directory=True)
    packages = [word for package in PACKAGES for word in ("--package", package)]
    command = [sys.executable, "-m", "mypy", *packages, *options]
    return subprocess.call(command, cwd=ROOT, env=os.environ | {"MYPYPATH": str(LINK.parent)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
