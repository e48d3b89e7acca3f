"""Kernels compiled for GPUs that need not be here."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ARCHITECTURES = [80, 89, 90]


def compile_kernel(
    kernel: Any,
    architecture: int,
    kinds: Mapping[str, str],
    constants: Mapping[str, object],
    **options,
) -> bytes:
    """Machine code of a kernel of Triton.

    Args:
        kinds: Triton's names of the arguments' types; a 32-bit integer where there is none.
        constants: values of the constants.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    signature = {
        name: "constexpr" if name in constants else kinds.get(name, "i32")
        for name in kernel.arg_names
    }
    version = tuple(int(part) for part in triton.__version__.split(".")[:2])
    if version >= (3, 3):
        pointers = [i for i, kind in enumerate(signature.values()) if kind.startswith("*")]
        attributes = {(i,): [["tt.divisibility", 16]] for i in pointers}
        source = ASTSource(kernel, signature, dict(constants), attributes)
    else:
        keys = {name: i if version < (3, 2) else name for i, name in enumerate(signature)}
        arguments = {keys[name]: kind for name, kind in signature.items() if kind != "constexpr"}
        source = ASTSource(
            kernel, arguments, {keys[name]: value for name, value in constants.items()}
        )
    target = GPUTarget("cuda", architecture, 32)
    return triton.compile(source, target=target, options=options).asm["cubin"]


def spilled_bytes(machine_code: bytes, folder: Path) -> int:
    """The stack of a thread; kernels keep nothing there but what leaves the registers."""
    import triton

    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    (folder / "kernel.cubin").write_bytes(machine_code)
    usage = subprocess.run(
        [tools / "cuobjdump", "-res-usage", folder / "kernel.cubin"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sum(int(size) for size in re.search(r"STACK:(\d+).* LOCAL:(\d+)", usage).groups())
