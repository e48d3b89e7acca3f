"""The command of `make test-comfy` runs in every ComfyUI that is there, each in its environment."""

import importlib.util
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

OLD, NEW = "0.3.64", "0.33.0"
PROBE = ["pytest", "tests/nodes"]


@pytest.fixture
def in_comfy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in a repository of its own with two checkouts beside it."""
    path = Path(__file__).parents[1] / "in_comfy.py"
    spec = importlib.util.spec_from_file_location("in_comfy", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "requirements.txt").write_text("av\n")
    for version in (OLD, NEW):
        folder = tmp_path / version
        (folder / "comfy").mkdir(parents=True)
        (folder / "main.py").touch()
        (folder / "requirements.txt").write_text("aiohttp\n")
        (folder / "comfyui_version.py").write_text(f'# a line\n__version__ = "{version}"\n')
    (tmp_path / NEW / "comfy" / "memory_management.py").write_text("aimdo_enabled = False\n")
    monkeypatch.setattr(script, "REPOSITORY", tmp_path / "pack")
    monkeypatch.setattr(
        script, "COMFYUI_PATH", os.pathsep.join([str(tmp_path / v) for v in (OLD, NEW)])
    )
    return script


class Processes:
    """Stands for those that the script would start.

    Attributes:
        set_up: names of environments that were made. ran: version, state and command of each run.
    """

    def __init__(self, fails: Callable[[list[str]], bool] = lambda command: False) -> None:
        self.fails, self.set_up, self.ran = fails, [], []

    def __call__(self, arguments: Any, check: bool, **options: Any) -> Any:
        command = [str(argument) for argument in arguments]
        status = int(self.fails(command))
        if check and status:
            raise subprocess.CalledProcessError(status, command)
        if command[1:3] == ["-m", "venv"]:
            assert "--clear" in command
            Path(command[-1]).mkdir(exist_ok=True)
            (Path(command[-1]) / "installed").unlink(missing_ok=True)
            self.set_up.append(Path(command[-1]).name)
        elif not check:
            assert options["env"]["ACTALKER_IN_COMFY"] == "1"
            version = Path(options["env"]["COMFYUI_PATH"]).name
            assert Path(command[0]).parts[-3] == f".venv-comfy-{version}"
            dynamic = "ACTALKER_DYNAMIC_VRAM" in options["env"]
            self.ran.append((version, dynamic, [Path(command[0]).name, *command[1:]]))
        return subprocess.CompletedProcess(command, status)


@pytest.fixture
def start_processes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Processes]:
    def make(*fails: Callable[[list[str]], bool]) -> Processes:
        processes = Processes(*fails)
        monkeypatch.setattr(subprocess, "run", processes)
        return processes

    return make


def test_it_runs_in_each(in_comfy: ModuleType, start_processes: Any, capsys: Any) -> None:
    processes = start_processes()
    assert in_comfy.main(PROBE) == 0
    assert processes.ran == [(OLD, False, PROBE), (NEW, False, PROBE)]
    output = capsys.readouterr().out
    assert f"ComfyUI {OLD}: passed" in output
    assert f"ComfyUI {NEW}: passed" in output


def test_dynamic_vram_is_tried_where_it_is(in_comfy: ModuleType, start_processes: Any) -> None:
    processes = start_processes()
    assert in_comfy.main(["--dynamic-vram-too", *PROBE]) == 0
    assert processes.ran == [(OLD, False, PROBE), (NEW, False, PROBE), (NEW, True, PROBE)]


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("step", ["pytest", "pip"])
def test_what_fails_in_one_still_runs_in_the_other(
    in_comfy: ModuleType, start_processes: Any, capsys: Any, version: str, step: str
) -> None:
    failing = f".venv-comfy-{version}/bin/{step}"
    processes = start_processes(lambda command: command[0].endswith(failing))
    assert in_comfy.main(PROBE) == 1
    second_version = NEW if version == OLD else OLD
    assert (second_version, False, PROBE) in processes.ran
    output = capsys.readouterr().out
    assert f"ComfyUI {version}: FAILED" in output
    assert f"ComfyUI {second_version}: passed" in output


def test_without_a_checkout_it_says_what_to_do(
    in_comfy: ModuleType, start_processes: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_comfy, "COMFYUI_PATH", os.pathsep.join(["/nowhere/one", "/nowhere/two"]))
    processes = start_processes()
    assert in_comfy.main(PROBE) == 0
    assert processes.ran == processes.set_up == []
    output = capsys.readouterr().out
    assert "skipped" in output
    assert "/nowhere/one or /nowhere/two" in output


def test_a_checkout_that_is_missing_beside_others_is_told(
    in_comfy: ModuleType, start_processes: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_comfy, "COMFYUI_PATH", f"{in_comfy.COMFYUI_PATH}{os.pathsep}/nowhere")
    processes = start_processes()
    assert in_comfy.main(PROBE) == 0
    assert len(processes.ran) == 2
    assert "/nowhere" in capsys.readouterr().out


def test_an_environment_is_made_anew_when_requirements_change(
    in_comfy: ModuleType, start_processes: Any, tmp_path: Path
) -> None:
    processes = start_processes()
    environments = [f".venv-comfy-{OLD}", f".venv-comfy-{NEW}"]
    in_comfy.main(PROBE)
    assert processes.set_up == environments
    in_comfy.main(PROBE)
    assert processes.set_up == environments
    (tmp_path / NEW / "requirements.txt").write_text("aiohttp>=3\n")
    in_comfy.main(PROBE)
    assert processes.set_up == [*environments, environments[1]]
    (tmp_path / "pack" / "requirements.txt").write_text("av\nlibrosa\n")
    in_comfy.main(PROBE)
    assert processes.set_up == [*environments, environments[1], *environments]


def test_an_environment_that_was_not_finished_is_made_anew(
    in_comfy: ModuleType, start_processes: Any
) -> None:
    processes = start_processes(lambda command: command[0].endswith("pip"))
    for tries in (1, 2):
        assert in_comfy.main(PROBE) == 1
        assert len(processes.set_up) == 2 * tries
        assert processes.ran == []
