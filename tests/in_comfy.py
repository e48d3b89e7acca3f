"""Runs a command in the environment of each ComfyUI checkout, which it sets up first.

    python tests/in_comfy.py [--dynamic-vram-too] pytest tests/nodes/test_memory.py

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
TEST_PACKAGES = (
    "hypothesis>=6.100",
    "psutil",
    "pytest>=8.3",
    "pytest-xdist>=3.6",
    "requests",  # which ComfyUI 0.3.64 imports without naming it: transformers used to bring it
    "selenium>=4.20",
)
BOTH_STATES = "--dynamic-vram-too"


def print_line(line: str) -> None:
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
        """Make the environment, and make it anew once the packages that it needs have changed."""
        requirements = [self.folder / "requirements.txt", REPOSITORY / "requirements.txt"]
        packages = "\n".join(
            [COMFY_TORCH, *TEST_PACKAGES, *(path.read_text("utf-8") for path in requirements)]
        )
        record = self.environment / "installed"
        if record.is_file() and record.read_text("utf-8") == packages:
            return
        print_line(f"Setting up {self.environment.name} ...")
        subprocess.run([sys.executable, "-m", "venv", "--clear", self.environment], check=True)
        install = [self.environment / "bin" / "pip", "install", "--quiet"]
        # torch comes first and alone, so that nothing else chooses another one.
        subprocess.run([*install, *COMFY_TORCH.split()], check=True)
        # The repository itself is not installed: ComfyUI loads it from its folder.
        arguments = [argument for path in requirements for argument in ("-r", path)]
        subprocess.run([*install, *arguments, *TEST_PACKAGES], check=True)
        record.write_text(packages, "utf-8")

    def run(self, command: list[str], dynamic_vram: bool) -> int:
        """Run it; its exit status."""
        variables = {"ACTALKER_IN_COMFY": "1", "COMFYUI_PATH": str(self.folder)}
        if dynamic_vram:
            variables["ACTALKER_DYNAMIC_VRAM"] = "1"
        program = self.environment / "bin" / command[0]
        process = subprocess.run(
            [program, *command[1:]], cwd=REPOSITORY, env=os.environ | variables, check=False
        )
        return process.returncode


def find_checkouts() -> list[Checkout]:
    """The checkouts that exist; a line for each path that is none."""
    paths = [Path(name).expanduser() for name in COMFYUI_PATH.split(os.pathsep) if name]
    folders = [path for path in paths if (path / "main.py").is_file()]
    if not folders:
        places = " or ".join(map(str, paths))
        print_line(f"Node tests skipped: lay a ComfyUI checkout at {places}, or name COMFYUI_PATH.")
    else:
        for path in set(paths) - set(folders):
            print_line(f"Not run in {path}: no ComfyUI checkout is there.")
    return [Checkout(path.resolve()) for path in folders]


def try_command(checkout: Checkout, command: list[str], dynamic_vram: bool) -> str | None:
    """Set up and run; None, or the reason why it failed."""
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
    for checkout in find_checkouts():
        states = (False, True) if both_states and checkout.has_dynamic_vram else (False,)
        for dynamic_vram in states:
            name = f"ComfyUI {checkout.version}{', dynamic VRAM simulated' * dynamic_vram}"
            print_line(f"\n{name}: {checkout.folder}")
            start = time.monotonic()
            failure = try_command(checkout, command, dynamic_vram)
            verdict = f"FAILED: {failure}" if failure else "passed"
            results[f"{name}: {verdict}, {time.monotonic() - start:.0f} s"] = failure
    print_line("\n" + "\n".join(results))
    return int(any(results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
