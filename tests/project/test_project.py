"""The promises that the repository makes about itself."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from actalker_core import errors

ROOT = Path(__file__).parents[2]
SHARED_WITH_COMFYUI = ("numpy", "transformers", "safetensors", "av", "tqdm")
OPENCV = "opencv-contrib-python-headless"


def requirements() -> list[str]:
    return (ROOT / "requirements.txt").read_text().split()


def test_requirements_leave_comfyui_alone() -> None:
    names = [re.split(r"[<>=!~\[]", line)[0] for line in requirements()]
    assert not {"torch", "torchvision", "torchaudio", "mamba-ssm", "triton", "diffusers"} & set(
        names
    )
    assert set(SHARED_WITH_COMFYUI) <= set(names)
    assert not any(re.search("<|==|~|!", line) for line in requirements() if OPENCV not in line)


def test_requirements_leave_the_opencv_that_is_there_alone() -> None:
    """Tried in real environments by `make test-requirements`; see docs/requirements.md."""
    (line,) = (line for line in requirements() if "opencv" in line)
    assert line == f"{OPENCV}>=4.10,<4.12"
    assert f"`{line}`" in (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")


def test_no_code_is_made_of_text() -> None:
    """Nor does anything look to a scanner as if it was: `.train(False)` instead of `.eval()`."""
    for package in ("actalker_core", "nodes"):
        for path in (ROOT / package).rglob("*.py"):
            assert not re.search(r"\b(eval|exec|__import__)\(", path.read_text("utf-8")), path


def test_every_error_is_exported() -> None:
    names = {
        n
        for n, v in vars(errors).items()
        if isinstance(v, type) and v.__module__ == errors.__name__
    }
    assert set(errors.__all__) == names


def test_nothing_that_is_installed_imports_the_training() -> None:
    paths = [ROOT / "__init__.py", *(ROOT / "nodes").rglob("*.py")]
    paths += (ROOT / "actalker_core").rglob("*.py")
    training = ROOT / "actalker_core" / "training"
    for path in paths:
        if training not in path.parents:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            assert not any("training" in name.split(".") for name in list_imports(tree)), path


def list_imports(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a file imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def test_the_core_never_looks_at_the_nodes() -> None:
    forbidden = re.compile(r"^\s*(import|from) (comfy|folder_paths|nodes)\b", flags=re.MULTILINE)
    for path in (ROOT / "actalker_core").rglob("*.py"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path
