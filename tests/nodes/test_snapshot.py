"""Saved graphs keep working: ids, sockets, options and the order of widgets do not change unseen.

After a wanted change: `ACTALKER_UPDATE_SNAPSHOT=1 make test-comfy`, and an entry of CHANGELOG.md
that names the new fingerprint, which the test tells.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from helpers.host import REPOSITORY, Comfy

SNAPSHOT = Path(__file__).with_name("snapshot.json")
INSTALLATION_CHOICES = (
    "sampler_name",
    "scheduler",
    "svd",
    "checkpoint",
    "folder",
    "clip_folder",
    "signals_file",
    "motion_file",
)
"""Options that are ComfyUI's own, or the files that lie in its folders."""
NEWER_OPTIONS = ("advanced",)
NEWER_TYPES = ("CURVE",)
"""What a newer ComfyUI shows of a node besides, and the older one, whose graphs it opens, lacks."""


def seen_by_graphs(comfy: Comfy) -> dict[str, Any]:
    """What a saved graph depends on, of each node."""
    names = [name for name in comfy.nodes.NODE_CLASS_MAPPINGS if name.startswith("ACTalker_")]
    return {name: _on_every_version(comfy.info(name)) for name in names}


def _on_every_version(info: dict[str, Any]) -> dict[str, Any]:
    keys = ("input", "input_order", "output", "output_name", "name", "display_name", "category")
    info = json.loads(json.dumps({key: info[key] for key in keys}))
    for kind in info["input"].values():
        for name, (io_type, *more) in kind.items():
            unseen = (*NEWER_OPTIONS, "options") if name in INSTALLATION_CHOICES else NEWER_OPTIONS
            for options in more:
                for option in unseen:
                    options.pop(option, None)
            if name in INSTALLATION_CHOICES:
                kind[name][0] = "COMBO"
            elif isinstance(io_type, str):
                types = [kind for kind in io_type.split(",") if kind not in NEWER_TYPES]
                kind[name][0] = ",".join(types)
    return info


def fingerprint(nodes: dict[str, Any]) -> str:
    """Changes with anything but tooltips."""
    plain = json.loads(json.dumps(nodes))
    for node in plain.values():
        for kind in node["input"].values():
            for _, *more in kind.values():
                for options in more:
                    options.pop("tooltip", None)
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:8]


def test_no_node_changed_unseen(comfy: Comfy) -> None:
    interfaces = seen_by_graphs(comfy)
    if "ACTALKER_UPDATE_SNAPSHOT" in os.environ:
        SNAPSHOT.write_text(json.dumps(interfaces, indent=1, ensure_ascii=False) + "\n", "utf-8")
    snapshot = json.loads(SNAPSHOT.read_text("utf-8"))
    assert list(interfaces) == list(snapshot)
    for name, info in interfaces.items():
        assert json.dumps(info) == json.dumps(snapshot[name]), name


def test_every_change_of_nodes_has_its_entry_in_the_changelog() -> None:
    nodes = json.loads(SNAPSHOT.read_text("utf-8"))
    changelog = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    assert f"nodes {fingerprint(nodes)}" in changelog


def test_every_input_has_a_tooltip(comfy: Comfy) -> None:
    for name, info in seen_by_graphs(comfy).items():
        for kind in ("required", "optional"):
            for key, (_, *more) in info["input"].get(kind, {}).items():
                assert more, (name, key)
                assert len(more[0]["tooltip"]) > 8, (name, key)
