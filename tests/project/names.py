"""Measures the language of a tree: its names, its docstrings, the length of its functions.

python tests/project/names.py [ROOT]
"""

import ast
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("actalker_core", "nodes")


def words(text: str) -> frozenset[str]:
    """Those of a list with spaces between them."""
    return frozenset(text.split())


PRONOUNS_AND_ADVERBS = words(
    "all also any apart away back both each either else enough ever here it its itself many most "
    "much neither nobody none nothing now one ones other others own same some somebody something "
    "there they this those together whatever where which who whole whose"
)
IRREGULAR_PARTICIPLES = words(
    "begun bent born bought bound broken brought built caught chosen cut done drawn driven "
    "fallen fed felt flown forgotten found frozen given gone grown heard held hidden kept known "
    "laid learnt led left lent lit lost made meant met paid put read ridden risen said seen sent "
    "shown shut sold spent split spoken spread stolen struck sung sunk sworn taken taught thought "
    "told torn understood woken won worn written"
)
NOUNS = words(
    "bed breed creed deed embed feed greed heed need reed red seed shed shred sled speed steed "
    "weed wed "
    # Nouns and verbs that an irregular participle is spelt as.
    "cut drive led left put read shut split spread "
    # The two passes of guidance, and what a test holds against a result, by the field's names.
    "expected guided unguided "
    # What a switch is called.
    "closed done enabled"
)
"""Words that look like participles and are names of their own."""

FILLERS = frozenset({"Sockets.", "One call.", "See above."})
TENSORS = frozenset({"Tensor", "NDArray", "ndarray"})
DIMENSION = r"[\w…·×*/+\-−²]+(?: ?[·×*/+\-−] ?\w+)*"
SHAPE = re.compile(rf"\(({DIMENSION}(?:,? {DIMENSION})*),?\)")
SHORT_WORDS = words("a an as at be by do he if in is it no of on or so to up us we")
REFERENCE = re.compile(r"`([\w.]+)`")
CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def split_words(name: str) -> list[str]:
    """`bytes_kept` → bytes, kept; `DrawnTake` → drawn, take."""
    return [word.lower() for part in name.split("_") for word in CAMEL.findall(part)]


def is_participle(word: str) -> bool:
    """Whether a word is a participle, by its ending or by the list."""
    if word in NOUNS:
        return False
    return word in IRREGULAR_PARTICIPLES or (word.endswith("ed") and len(word) > 3)


def is_no_name(word: str) -> bool:
    """Whether a word cannot stand for a thing: a participle, a pronoun or an adverb."""
    return word in PRONOUNS_AND_ADVERBS or is_participle(word)


def assigned_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a module gives, with its line: targets, arguments, attributes, functions."""
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name, node.lineno


@dataclass(frozen=True)
class Module:
    """One file of a tree."""

    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        """`actalker_core/media`, `actalker_core/models/actalker`, `nodes/face`."""
        depth = 3 if self.path.parts[1] == "models" else 2
        return "/".join(self.path.parts[: min(depth, len(self.path.parts) - 1)])

    @cached_property
    def names(self) -> list[tuple[str, int]]:
        """Its names, each once, where it is given first."""
        lines: dict[str, int] = {}
        for name, line in assigned_names(self.tree):
            lines[name] = min(line, lines.get(name, line))
        return [
            (name, line)
            for name, line in lines.items()
            if split_words(name) and not name.startswith("__")
        ]

    @cached_property
    def functions(self) -> list[Function]:
        """All of them, those in classes and in functions too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    @cached_property
    def public_functions(self) -> list[Function]:
        """Those of the module and of its public classes that others may call."""
        bodies = [self.tree.body] + [
            node.body
            for node in self.tree.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]
        functions = [node for body in bodies for node in body if isinstance(node, Function)]
        return [node for node in functions if not node.name.startswith("_")]


class Tree:
    """The packages of a repository."""

    def __init__(self, root: Path) -> None:
        self.modules = [
            Module(path.relative_to(root), ast.parse(path.read_text("utf-8")))
            for package in PACKAGES
            for path in sorted((root / package).rglob("*.py"))
        ]

    @cached_property
    def packages(self) -> dict[str, list[Module]]:
        """The modules by their package."""
        modules = defaultdict(list)
        for module in self.modules:
            modules[module.package].append(module)
        return dict(modules)

    @cached_property
    def tensor_types(self) -> frozenset[str]:
        """`Tensor`, `NDArray`, and every alias of them in the tree."""
        aliases = [
            (target.id, node.value)
            for module in self.modules
            for node in module.tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name) and target.id[0].isupper() and not target.id.isupper()
        ]
        types = set(TENSORS)
        for _ in range(3):  # an alias of an alias of an alias
            types |= {name for name, value in aliases if mentions(value, types)}
        return frozenset(types)

    @cached_property
    def names_with_shapes(self) -> frozenset[str]:
        """Functions and classes whose docstring has a shape."""
        nodes = (node for module in self.modules for node in ast.walk(module.tree))
        return frozenset(
            node.name
            for node in nodes
            if isinstance(node, Function | ast.ClassDef) and has_shape(ast.get_docstring(node))
        )

    def tensor_functions(self, modules: Iterable[Module]) -> list[tuple[Module, Function]]:
        """Public functions that take or return tensors or arrays."""
        return [
            (module, function)
            for module in modules
            for function in module.public_functions
            if any(mentions(hint, self.tensor_types) for hint in annotations(function))
        ]

    def shapeless(self, modules: Iterable[Module]) -> list[str]:
        """Which of them name no shape, as `path:line name`."""
        return [
            f"{module.path}:{function.lineno} {function.name}"
            for module, function in self.tensor_functions(modules)
            if not self._names_a_shape(ast.get_docstring(function))
        ]

    def share_of_shapes(self, modules: Iterable[Module]) -> float:
        """How many of them name a shape, 0…1; 1 where there are none."""
        modules = list(modules)
        count = len(self.tensor_functions(modules))
        return 1 - len(self.shapeless(modules)) / count if count else 1.0

    def _names_a_shape(self, docstring: str | None) -> bool:
        if has_shape(docstring):
            return True
        references = REFERENCE.findall(docstring or "")
        return any(name.rpartition(".")[2] in self.names_with_shapes for name in references)


def annotations(function: Function) -> Iterator[ast.expr]:
    """The types of a function's arguments and of its result."""
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.annotation is not None:
            yield argument.annotation
    if function.returns is not None:
        yield function.returns


def mentions(node: ast.AST, types: Iterable[str]) -> bool:
    """Whether an expression names one of some types, in a text too."""
    for child in ast.walk(node):
        name = getattr(child, "id", None) or getattr(child, "attr", None)
        if name in types:
            return True
        text = child.value if isinstance(child, ast.Constant) else None
        if isinstance(text, str) and set(re.findall(r"\w+", text)) & set(types):
            return True
    return False


def has_shape(docstring: str | None) -> bool:
    """Whether a docstring has a shape: a parenthesis of dimensions, some of them short.

    One dimension alone has a comma after it.
    """
    for match in SHAPE.finditer(docstring or ""):
        group = match[1]
        if " " not in group and match[0].endswith(",)"):
            return True
        items = re.split(r", ?| ", group)
        if any(item.isdigit() or len(item) <= 2 for item in items) and SHORT_WORDS.isdisjoint(
            items
        ):
            return True
    return False


def bare_names(modules: Iterable[Module]) -> list[str]:
    """Names that are one word, and that a participle, a pronoun or an adverb."""
    return [
        f"{module.path}:{line} {name}"
        for module in modules
        for name, line in module.names
        if len(words := split_words(name)) == 1 and is_no_name(words[0])
    ]


def headless_names(modules: Iterable[Module]) -> list[str]:
    """Names without a noun at their end, of one word or of several."""
    return [
        f"{module.path}:{line} {name}"
        for module in modules
        for name, line in module.names
        if is_no_name(split_words(name)[-1])
    ]


def filler_docstrings(modules: Iterable[Module]) -> list[str]:
    """Docstrings that say nothing, as `path:line text`."""
    return [
        f"{module.path}:{node.lineno} {text}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, Function | ast.ClassDef)
        and (text := ast.get_docstring(node)) in FILLERS
    ]


def clip_classes(modules: Iterable[Module]) -> list[str]:
    """Classes called Clip, which means the model to everybody."""
    return [
        f"{module.path}:{node.lineno} {node.name}"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and re.search(r"Clip(?![a-z])", node.name)
    ]


def shared_verbs(modules: Iterable[Module]) -> dict[str, list[str]]:
    """One word -> the modules that have a public function of that name."""
    places = defaultdict(list)
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, Function) and re.fullmatch(r"[a-z]+", node.name):
                places[node.name].append(str(module.path))
    return {name: paths for name, paths in places.items() if len(paths) > 1}


def lengths(modules: Iterable[Module]) -> list[int]:
    """Lines of every function."""
    functions = (function for module in modules for function in module.functions)
    return sorted((function.end_lineno or 0) - function.lineno + 1 for function in functions)


def describe(title: str, tree: Tree, modules: list[Module]) -> str:
    """A row: names, those that are none, tensor functions with shapes, lengths."""
    count = sum(len(module.names) for module in modules)
    bare, headless = bare_names(modules), headless_names(modules)
    lines = lengths(modules) or [0]
    return (
        f"{title:36} {count:6} {len(bare):5} {100 * len(bare) / max(count, 1):5.1f} "
        f"{len(headless):5} {100 * len(headless) / max(count, 1):5.1f} "
        f"{len(tree.tensor_functions(modules)):5} {100 * tree.share_of_shapes(modules):5.0f} "
        f"{len(filler_docstrings(modules)):5} "
        f"{statistics.median(lines):5.0f} {lines[int(0.9 * (len(lines) - 1))]:4} {lines[-1]:4}"
    )


def main(root: Path, prefix: str | None = None) -> None:
    """Print the measures of a tree, or what is weak below a path."""
    tree = Tree(root)
    if prefix is not None:
        modules = [module for module in tree.modules if str(module.path).startswith(prefix)]
        for lines in (bare_names(modules), tree.shapeless(modules), filler_docstrings(modules)):
            sys.stdout.write("\n".join([*lines, "", ""]))
        return
    head = "names  bare    %  head    %   tens shape% fill med  90%  max"
    sys.stdout.write(f"{'':36}  {head}\n")
    for package, modules in sorted(tree.packages.items()):
        sys.stdout.write(describe(package, tree, modules) + "\n")
    sys.stdout.write(describe("all", tree, tree.modules) + "\n")
    for name, paths in sorted(shared_verbs(tree.modules).items(), key=lambda item: -len(item[1])):
        sys.stdout.write(f"{name}: {len(paths)} ({', '.join(paths)})\n")
    sys.stdout.write("\n".join(clip_classes(tree.modules)) + "\n")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(Path(arguments[0] if arguments else Path(__file__).parents[2]), *arguments[1:2])
