"""Runs a command in the environment of each ComfyUI checkout, which it sets up first.

    python tests/in_comfy.py [--dynamic-vram-too] pytest tests/nodes/test_graphs.py

COMFYUI_PATH names the checkouts, several with the separator of PATH between them. With
`--dynamic-vram-too` the command runs a second time in a ComfyUI that has dynamic VRAM, with that
simulated. What fails in one does not keep it from running in the others.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
COMFYUI_PATH = os.environ.get("COMFYUI_PATH") or os.pathsep.join(
    ("~/comfy/ComfyUI", "~/comfy/ComfyUI-new")
)
COMFY_TORCH = (
    os.environ.get("COMFY_TORCH") or "torch==2.11.0 torchvision==0.26.0 torchaudio==2.11.0"
)
OF_TESTS = ("hypothesis>=6.100", "psutil", "pytest>=8.3", "pytest-xdist>=3.6")
BOTH_STATES = "--dynamic-vram-too"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Checkout:
    """A ComfyUI, and the environment that its tests run in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        text = (folder / "comfyui_version.py").read_text("utf-8")
        self.version = re.search(r'__version__ = "(.+)"', text).group(1)
        self.environment = REPOSITORY / f".venv-comfy-{self.version}"

    @property
    def has_dynamic_vram(self) -> bool:
        switch = self.folder / "comfy" / "memory_management.py"
        return switch.is_file() and "aimdo_enabled" in switch.read_text("utf-8")

    def set_up(self) -> None:
        """Make the environment, and make it anew once what it must hold has changed."""
        requirements = [self.folder / "requirements.txt", REPOSITORY / "requirements.txt"]
        wanted = "\n".join(
            [COMFY_TORCH, *OF_TESTS, *(path.read_text("utf-8") for path in requirements)]
        )
        installed = self.environment / "installed"
        if installed.is_file() and installed.read_text("utf-8") == wanted:
            return
        say(f"Setting up {self.environment.name} ...")
        subprocess.run([sys.executable, "-m", "venv", "--clear", self.environment], check=True)
        install = [self.environment / "bin" / "pip", "install", "--quiet"]
        # torch comes first and alone, so that nothing else chooses another one.
        subprocess.run([*install, *COMFY_TORCH.split()], check=True)
        # The repository itself is not installed: ComfyUI loads it from its folder.
        listed = [argument for path in requirements for argument in ("-r", path)]
        subprocess.run([*install, *listed, *OF_TESTS], check=True)
        installed.write_text(wanted, "utf-8")

    def run(self, command: list[str], dynamic_vram: bool) -> int:
        """Run it; its exit status."""
        told = {"ACTALKER_IN_COMFY": "1", "COMFYUI_PATH": str(self.folder)}
        if dynamic_vram:
            told["ACTALKER_DYNAMIC_VRAM"] = "1"
        program = self.environment / "bin" / command[0]
        done = subprocess.run(
            [program, *command[1:]], cwd=REPOSITORY, env=os.environ | told, check=False
        )
        return done.returncode


def checkouts() -> list[Checkout]:
    """Those that are there; of others it is told that they are not."""
    paths = [Path(name).expanduser() for name in COMFYUI_PATH.split(os.pathsep) if name]
    found = [path for path in paths if (path / "main.py").is_file()]
    if not found:
        places = " or ".join(map(str, paths))
        say(f"Node tests skipped: lay a ComfyUI checkout at {places}, or name COMFYUI_PATH.")
    else:
        for path in set(paths) - set(found):
            say(f"Not run in {path}: no ComfyUI checkout is there.")
    return [Checkout(path.resolve()) for path in found]


def tried(checkout: Checkout, command: list[str], dynamic_vram: bool) -> str | None:
    """Set up and run; what went wrong."""
    try:
        checkout.set_up()
    except subprocess.CalledProcessError as error:
        return f"its environment was not set up: {error}"
    status = checkout.run(command, dynamic_vram)
    return f"exit status {status}" if status else None


def main(arguments: list[str]) -> int:
    both_states = arguments[:1] == [BOTH_STATES]
    command = arguments[both_states:]
    results: dict[str, str | None] = {}
    for checkout in checkouts():
        states = (False, True) if both_states and checkout.has_dynamic_vram else (False,)
        for dynamic_vram in states:
            name = f"ComfyUI {checkout.version}{', dynamic VRAM simulated' * dynamic_vram}"
            say(f"\n{name}: {checkout.folder}")
            start = time.monotonic()
            wrong = tried(checkout, command, dynamic_vram)
            verdict = f"FAILED: {wrong}" if wrong else "passed"
            results[f"{name}: {verdict}, {time.monotonic() - start:.0f} s"] = wrong
    say("\n" + "\n".join(results))
    return int(any(results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
