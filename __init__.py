"""ACTalker for ComfyUI: the entry point that ComfyUI looks for.

Nothing of ComfyUI is imported before ComfyUI asks for the nodes, so that tests can import this.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension

WEB_DIRECTORY = "./web"


async def comfy_entrypoint() -> "ComfyExtension":
    """Give ComfyUI the extension of this pack."""
    from .nodes import make_extension

    return make_extension()
