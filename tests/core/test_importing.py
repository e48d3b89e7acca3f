"""Importing the pack reaches for nothing."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


IMPORT_EVERYTHING = """
import importlib, importlib.util, pathlib, pkgutil, sys

touched = []

def refuse(event, details):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        touched.append((event, details[1:]))
        raise OSError("there is no network")

sys.addaudithook(refuse)
root = pathlib.Path(sys.argv[1])
place = importlib.util.spec_from_file_location(
    "pack", root / "__init__.py", submodule_search_locations=[str(root)])
pack = importlib.util.module_from_spec(place)
sys.modules["pack"] = pack
place.loader.exec_module(pack)
assert pack.WEB_DIRECTORY and callable(pack.comfy_entrypoint)

import actalker_core
for module in pkgutil.walk_packages(actalker_core.__path__, "actalker_core."):
    importlib.import_module(module.name)

import torch
assert not touched, touched
assert not torch.cuda.is_initialized()
foreign = {"comfy", "comfy_api", "folder_paths", "nodes", "pack.nodes"} & set(sys.modules)
assert not foreign, foreign
print(sum(name.startswith("actalker_core.") for name in sys.modules))
"""


def test_importing_touches_neither_network_nor_comfyui_nor_cuda() -> None:
    command = [sys.executable, "-c", IMPORT_EVERYTHING, str(REPOSITORY)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_network_guard_works() -> None:
    """The test above could not fail otherwise."""
    guard = IMPORT_EVERYTHING[: IMPORT_EVERYTHING.index("root =")]
    use = "import socket\ntry:\n    socket.create_connection(('localhost', 9))\nexcept OSError:\n"
    script = f"{guard}{use}    print(len(touched))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) > 0
