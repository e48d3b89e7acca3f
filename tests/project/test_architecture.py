"""Who imports whom: arrows point down, families stand apart, nothing needs the training."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE, NODES = "actalker_core", "nodes"
GROUND = {"errors", "limits", "text", "progress", "parallel", "files"}
"""What every package may import."""
BELOW = {
    "errors": set(),
    "limits": {"errors"},
    "text": {"errors", "limits"},
    "progress": set(),
    "parallel": set(),
    "files": {"errors", "limits", "text", "progress"},
    "media": GROUND,
    "ops": GROUND,
    "faces": GROUND | {"media", "ops"},
    "geometry": GROUND | {"media", "ops", "faces"},
    "control": GROUND | {"media", "ops", "faces", "geometry"},
    "diffusion": GROUND | {"media", "ops", "faces"},
    "learning": {"errors"},
    "synthetic": GROUND | {"media", "ops", "faces", "geometry", "control"},
}
"""For each package of the toolkit what it may import."""
TOOLKIT = set(BELOW)
COMFYUI = {"comfy", "comfy_api", "comfy_execution", "folder_paths", "nodes", "server", "execution"}


def modules() -> dict[str, Path]:
    """Every module of the core and the nodes."""
    paths = [path for package in (CORE, NODES) for path in sorted((ROOT / package).rglob("*.py"))]
    return {name_of(path): path for path in paths}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(module: str, path: Path) -> Iterator[str]:
    """The modules that a module imports, those within functions too."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            source = ".".join([*base * bool(node.level), *filter(None, [node.module])])
            for alias in node.names:
                target = f"{source}.{alias.name}"
                yield target if target in MODULES else source


MODULES = modules()
ARROWS = {module: sorted(set(imports(module, path))) for module, path in MODULES.items()}


def pack_imports(module: str) -> list[str]:
    """The imports of a module that are its own house's."""
    return [target for target in ARROWS[module] if target.split(".")[0] in (CORE, NODES)]


def package_of(module: str) -> str:
    """`media` of `actalker_core.media.audio`, `models.actalker` of a family's module."""
    parts = module.split(".")
    if parts[0] == NODES:
        return NODES
    return ".".join(parts[1:3] if parts[1:2] == ["models"] else parts[1:2])


def core_modules() -> list[str]:
    return [module for module in MODULES if module.startswith(f"{CORE}.")]


@pytest.mark.parametrize("package", sorted(TOOLKIT))
def test_the_toolkit_imports_only_what_stands_below(package: str) -> None:
    wrong = {
        module: up
        for module in core_modules()
        if package_of(module) == package
        and (
            up := [
                t for t in pack_imports(module) if package_of(t) not in BELOW[package] | {package}
            ]
        )
    }
    assert not wrong


def test_a_family_imports_the_toolkit_and_itself() -> None:
    families = {package_of(module) for module in core_modules() if module.count(".") > 2} - TOOLKIT
    for module in core_modules():
        family = package_of(module)
        if family.startswith("models.") and family in families:
            packages = {package_of(target) for target in pack_imports(module)}
            assert packages <= TOOLKIT | {family}, module


def node_package_of(module: str) -> str:
    """`common` of `nodes.common.files`."""
    return module.split(".")[1] if "." in module else ""


def node_modules() -> list[str]:
    return [module for module in MODULES if module.startswith(f"{NODES}.")]


NODES_BELOW = {"common": {"common"}, "face": {"common", "face"}}
"""For each package of the nodes that no family owns what it may import."""


@pytest.mark.parametrize("package", sorted(NODES_BELOW))
def test_nodes_of_no_family_import_no_family(package: str) -> None:
    modules = [module for module in node_modules() if node_package_of(module) == package]
    assert modules
    for module in modules:
        targets = pack_imports(module)
        nodes = {node_package_of(target) for target in targets if target.startswith(NODES)}
        assert nodes <= NODES_BELOW[package], module
        core = {package_of(target) for target in targets if target.startswith(CORE)}
        assert core <= TOOLKIT, module


def test_nodes_of_a_family_import_no_other_family() -> None:
    for module in node_modules():
        family = node_package_of(module)
        if family not in NODES_BELOW:
            targets = pack_imports(module)
            nodes = {node_package_of(target) for target in targets if target.startswith(NODES)}
            assert nodes <= {*NODES_BELOW, family}, module
            core = {package_of(target) for target in targets if target.startswith(CORE)}
            assert core <= TOOLKIT | {f"models.{family}"}, module


HOST_MEMORY = {"comfy.model_management", "comfy.sample", "comfy.samplers", "comfy.ops"}
PROGRESS = f"{NODES}.common.progress"
"""Asks whether the user cancelled, which ComfyUI keeps beside its memory management."""


def test_the_bridge_alone_knows_memory_management_and_sampling() -> None:
    users = {m for m in node_modules() if HOST_MEMORY & set(ARROWS[m])} - {PROGRESS}
    assert users
    assert all(".bridge." in module for module in users), users


def test_one_module_knows_the_folders_of_comfyui() -> None:
    assert [m for m in node_modules() if "folder_paths" in ARROWS[m]] == [f"{NODES}.common.files"]


def test_there_is_no_other_package() -> None:
    packages = {package_of(module).split(".")[0] for module in core_modules()} - TOOLKIT
    assert packages == {"__main__", "cli", "models", "training"}


def test_nothing_imports_the_training() -> None:
    for module in MODULES:
        if package_of(module) != "training":
            assert "training" not in {package_of(target) for target in pack_imports(module)}, module


def test_the_core_imports_no_comfyui_and_no_nodes() -> None:
    for module in core_modules():
        assert not {target.split(".")[0] for target in ARROWS[module]} & COMFYUI, module


def test_the_command_line_is_imported_by_the_program_alone() -> None:
    users = [
        m
        for m in MODULES
        if package_of(m) != "cli" and "cli" in {package_of(t) for t in pack_imports(m)}
    ]
    assert users == [f"{CORE}.__main__"]


def test_there_is_no_circle() -> None:
    stack: list[str] = []
    done: set[str] = set()

    def enter(module: str) -> None:
        assert module not in stack, [*stack[stack.index(module) :], module]
        if module in done:
            return
        stack.append(module)
        for target in pack_imports(module):
            # A package's face stands for what it hands on.
            if target in MODULES and target != module:
                enter(target)
        done.add(stack.pop())

    for module in MODULES:
        enter(module)
