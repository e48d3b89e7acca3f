"""What is installed draws its demo without the training, which stays in the repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from setuptools import find_packages
from setuptools.config.pyprojecttoml import read_configuration

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
import actalker_core
from actalker_core.cli import commands
from actalker_core.synthetic import demo
assert Path(actalker_core.__file__).is_relative_to(Path.cwd()), actalker_core.__file__
demo.SECONDS = 0.2
print(*(path.name for path in demo.write_demo(Path("media"))))
assert not any("training" in name.split(".") for name in sys.modules)
"""


@pytest.fixture
def site_folder(tmp_path: Path) -> Path:
    """A folder with the packages that a wheel would have."""
    settings = read_configuration(ROOT / "pyproject.toml", expand=False)
    options = settings["tool"]["setuptools"]["packages"]["find"]
    for package in find_packages(str(ROOT), options["exclude"], options["include"]):
        folder = tmp_path / package.replace(".", "/")
        folder.mkdir(parents=True, exist_ok=True)
        for path in (ROOT / package.replace(".", "/")).glob("*.py"):
            shutil.copy(path, folder)
    return tmp_path


def test_the_demo_is_drawn_without_the_training(site_folder: Path) -> None:
    assert not (site_folder / "actalker_core" / "training").exists()
    (site_folder / "media").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=site_folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["portrait.png", "speech.wav", "driving.mp4"]


def test_the_archive_for_artists_leaves_the_training_out() -> None:
    patterns = (ROOT / ".comfyignore").read_text("utf-8").splitlines()
    assert "/actalker_core/training/" in patterns
