"""ComfyUI's side of the pack: sockets in, one core call, sockets out.

`NODES` is the one list of nodes, in the order in which a graph uses them. It is empty until the
node files arrive; the core runs from the command line meanwhile.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension, io

NODES: "list[type[io.ComfyNode]]" = []


def make_extension() -> "ComfyExtension":
    """Wrap `NODES` as ComfyUI wants them."""
    from comfy_api.latest import ComfyExtension

    class ACTalkerExtension(ComfyExtension):
        async def get_node_list(self) -> "list[type[io.ComfyNode]]":
            return NODES

    return ACTalkerExtension()
