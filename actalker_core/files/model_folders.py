"""Where models lie: in the core's own folder, in the current one, in ComfyUI's.

The core knows ComfyUI by nothing but the place that the pack lies in.
"""

from pathlib import Path

FOLDER = Path("models", "actalker")
PACK = Path(__file__).parents[2]
"""What the core lies in: a clone, the pack in ComfyUI's `custom_nodes`, or Python's packages."""


def find_core_folder() -> Path:
    """Where the command line puts models: in the clone, else below the current folder."""
    return PACK / FOLDER if (PACK / "pyproject.toml").is_file() else FOLDER


def list_model_folders() -> list[Path]:
    """Every folder that may hold models, the core's own first; they need not be there."""
    folders = [find_core_folder().absolute(), FOLDER.absolute()]
    if PACK.parent.name == "custom_nodes":
        folders.append(PACK.parents[1] / FOLDER)
    return list(dict.fromkeys(folders))
