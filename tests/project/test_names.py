"""Names are nouns and verbs of the field, and docstrings say something; see `names`."""

import ast
import importlib.util
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("names", Path(__file__).with_name("names.py"))
names = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(names)

TREE = names.Tree(ROOT)
MOST_BARE = {"nodes/common": 1}  # advanced: ComfyUI's word for folded widgets
"""Package -> how many names it may have that are one participle, pronoun or adverb."""
TESTS = ("helpers", "core", "project", "fuzz", "benchmarks", "nodes")
"""Folders of tests whose names are held to the same words."""
MOST_MODULES_OF_A_VERB = 2
"""How many modules may have a public function called by the same single word."""
VERBS = {"scan"}
"""Words that more modules share, because they stand for each other."""


def parse(code: str) -> names.Module:
    return names.Module(Path("actalker_core/media/code.py"), ast.parse(dedent(code)))


def tree_of(code: str) -> names.Tree:
    tree = names.Tree(Path("nowhere"))
    tree.modules = [parse(code)]
    return tree


@pytest.mark.parametrize("package", sorted(TREE.packages))
def test_no_name_is_a_participle_a_pronoun_or_an_adverb_alone(package: str) -> None:
    wrong = names.bare_names(TREE.packages[package])
    assert len(wrong) <= MOST_BARE.get(package, 0), "\n".join(wrong)


@pytest.mark.parametrize("folder", TESTS)
def test_no_name_in_tests_is_one_either(folder: str) -> None:
    modules = [
        names.Module(path.relative_to(ROOT), ast.parse(path.read_text("utf-8")))
        for path in sorted((ROOT / "tests" / folder).rglob("*.py"))
    ]
    wrong = names.bare_names(modules)
    assert modules
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", sorted(TREE.packages))
def test_docstrings_of_functions_with_tensors_name_a_shape(package: str) -> None:
    modules = TREE.packages[package]
    assert TREE.share_of_shapes(modules) == 1, "\n".join(TREE.shapeless(modules))


@pytest.mark.parametrize("package", sorted(TREE.packages))
def test_no_docstring_says_nothing(package: str) -> None:
    wrong = names.filler_docstrings(TREE.packages[package])
    assert not wrong, "\n".join(wrong)


def test_clip_is_the_model_and_no_class_of_frames() -> None:
    assert not names.clip_classes(TREE.modules)


def test_a_verb_alone_is_the_name_of_few_functions() -> None:
    modules_by_verb = names.shared_verbs(TREE.modules)
    verbs = {verb for verb, paths in modules_by_verb.items() if len(paths) > MOST_MODULES_OF_A_VERB}
    assert verbs <= VERBS


# The measures themselves -------------------------------------------------------------------------


def test_words_of_a_name() -> None:
    assert names.split_words("_bytes_kept") == ["bytes", "kept"]
    assert names.split_words("DrawnTake") == ["drawn", "take"]
    assert names.split_words("VAEConfig2") == ["vae", "config", "2"]


@pytest.mark.parametrize("word", ["found", "told", "there", "own", "scaled", "padded", "other"])
def test_words_that_are_no_names(word: str) -> None:
    assert names.is_no_name(word)


@pytest.mark.parametrize("word", ["seed", "speed", "frames", "expected", "ed", "guided", "token"])
def test_words_that_are_names(word: str) -> None:
    assert not names.is_no_name(word)


def test_every_place_that_gives_a_name_is_read() -> None:
    module = parse(
        """
        import found as known
        def told(given, *taken, whole=1, **others):
            with open(given) as opened:
                kept = [shown for shown in opened if (seen := shown)]
            try:
                given.moved, (heard, padded_rows) = kept
            except OSError as raised:
                pass
        class Drawn:
            made: int = 0
        """
    )
    assert {line.split()[1] for line in names.bare_names([module])} == {
        *("told", "given", "taken", "whole", "others", "opened", "kept", "shown", "seen"),
        *("moved", "heard", "raised", "Drawn", "made"),
    }
    assert len(names.headless_names([module])) == 14


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Frames (f, 3, h, w) in 0…1.", True),
        ("Mean (3,) of (128, 128, 3).", True),
        ("`(b f) c h w` -> (b f) c.", True),
        ("(batch·frames, c, h/8, w/8)", True),
        ("Something (see above).", False),
        ("Frames (all of them, in order).", False),
        (None, False),
    ],
)
def test_shapes_are_told_from_other_parentheses(text: str | None, answer: bool) -> None:
    assert names.has_shape(text) == answer


def test_functions_with_tensors_are_found_through_aliases() -> None:
    tree = tree_of(
        '''
        Batch = dict[str, Tensor]
        Batches = list[Batch]
        def split(batches: Batches) -> int:
            """By their length."""
        def join(x: "Tensor | None") -> int:
            """Tensors (b, c)."""
        def stack(x: NDArray[np.uint8]) -> int:
            """As `join` takes them."""
        def count(x: int) -> int:
            """No tensor."""
        def _hide(x: Tensor) -> int:
            """Private."""
        class Network:
            def forward(self, x: Tensor) -> Tensor:
                """No shape."""
        '''
    )
    functions = [function.name for _, function in tree.tensor_functions(tree.modules)]
    assert functions == ["split", "join", "stack", "forward"]
    assert [line.split()[1] for line in tree.shapeless(tree.modules)] == ["split", "forward"]
    assert tree.share_of_shapes(tree.modules) == 0.5


def test_fillers_and_clips_are_found() -> None:
    module = parse(
        '''
        class ClipModel:
            """Sockets."""
        class CLIPText:
            """A model."""
        class Clipped:
            """Cut off."""
        '''
    )
    assert len(names.filler_docstrings([module])) == 1
    assert [line.split()[1] for line in names.clip_classes([module])] == ["ClipModel"]
