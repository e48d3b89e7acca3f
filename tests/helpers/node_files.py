"""What the nodes find in ComfyUI's folders."""

from helpers.host import Comfy


def list_signal_files(comfy: Comfy) -> list[str]:
    """The files that Load Signals offers."""
    files = comfy.node_module("common.files")
    return list(files.list_recordings(files.SIGNALS))
