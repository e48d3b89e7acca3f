"""The first page, the pages behind it and the changelog: short, complete, and true where told."""

import ast
import json
import pkgutil
import re
import runpy
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from draw_first_image import draw_first_image
from helpers.hopper import write_hopper
from helpers.recorded_faces import TASK, needs_model
from PIL import Image

import actalker_core
from actalker_core.cli.parser import build_parser
from actalker_core.faces import DEFAULT_PATH
from actalker_core.media import read_frames
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.synthetic import demo

ROOT = Path(__file__).parents[2]
FIRST = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [
    *(FIRST, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"),
    *(ROOT / "web" / "README.md", ROOT / "workflows" / "README.md"),
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "web" / "docs").glob("*.md")),
]
NODES = json.loads((ROOT / "tests" / "nodes" / "snapshot.json").read_text("utf-8"))

MOST_LINES = 150
FOLD = 15
"""Lines that a screen shows at once, the image left out."""
MOST_IMAGE_BYTES = 1_500_000
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
IMAGE = re.compile(r"!\[[^\]]+\]\(([^)\s]+)\)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NODE_LINK = re.compile(r"\[([^\]]+)\]\(web/docs/(ACTalker_(?!Tutorial)\w+)\.md\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """The fenced blocks of a page in these languages."""
    for language, block in FENCE.findall(text_of(page)):
        if language in languages:
            yield block


# The first page ----------------------------------------------------------------------------------


def test_the_first_page_is_short() -> None:
    assert len(text_of(FIRST).splitlines()) <= MOST_LINES


def test_the_first_page_shows_a_moving_result_above_the_fold() -> None:
    link = IMAGE.search("\n".join(text_of(FIRST).splitlines()[:FOLD]))
    assert link is not None
    path = ROOT / link[1]
    assert path.stat().st_size < MOST_IMAGE_BYTES
    with Image.open(path) as image:
        assert getattr(image, "n_frames", 1) > 10
        first = image.convert("RGB").tobytes()
        image.seek(image.n_frames // 2)
        assert image.convert("RGB").tobytes() != first


def test_the_image_of_the_first_page_can_be_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SECONDS", 0.4)
    _, _, driving = demo.write_demo(tmp_path)
    driving.with_name("demo.mp4").write_bytes(driving.read_bytes())
    draw_first_image(tmp_path, tmp_path / "drawn.webp")
    with (
        Image.open(tmp_path / "drawn.webp") as drawing,
        Image.open(DOCS / "images/demo.webp") as demo_image,
    ):
        assert drawing.size == demo_image.size
        assert drawing.n_frames == 5


def test_the_first_page_lists_every_node_by_its_name() -> None:
    entries = [(node, name) for name, node in NODE_LINK.findall(text_of(FIRST))]
    names = {n: info["display_name"].removesuffix(" (ACTalker)") for n, info in NODES.items()}
    assert sorted(entries) == sorted(names.items())


# Links -------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", text_of(page)))
    words = (re.sub(r"[^\w\- ]", "", LINK.sub("", heading).lower()) for heading in headings)
    return {word.strip().replace(" ", "-") for word in words}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", text_of(page))):
        path, _, anchor = unquote(link).partition("#")
        if "://" in path:
            continue
        target = page.parent / path if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_a_page_of_the_pack_links_nothing_that_the_pack_leaves_out() -> None:
    patterns = text_of(ROOT / ".comfyignore").splitlines()
    left_out = tuple(line[1:] for line in patterns if line.startswith("/"))
    for page in PAGES:
        for link in LINK.findall(FENCE.sub("", text_of(page))):
            if "://" not in link:
                target = (page.parent / link.partition("#")[0]).resolve()
                assert not target.relative_to(ROOT).as_posix().startswith(left_out), (page, link)


def test_every_page_is_listed() -> None:
    pages = {DOCS / link for link in LINK.findall(text_of(DOCS / "README.md"))}
    assert set(DOCS.glob("*.md")) - pages == {DOCS / "README.md"}


# The command line --------------------------------------------------------------------------------


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words of every call of the pack that a page shows."""
    for block in blocks(page, "sh", "bat"):
        for line in block.replace("\\\n", " ").replace("\\", "/").splitlines():
            words = shlex.split(line, comments=True)
            if "actalker_core" in words and words[1] == "-m":
                yield words[words.index("actalker_core") + 1 :]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_is_one(page: Path) -> None:
    for words in command_lines(page):
        build_parser().parse_args(words)


def test_command_lines_are_seen() -> None:
    commands = {words[0] for page in PAGES for words in command_lines(page)}
    assert commands >= {"demo", "generate", "inspect", "signals", "bank", "download", "convert"}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_target_of_make_is_one(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    names = re.findall(r"(?:^|`)make ([a-z][\w-]*)", text_of(page), re.MULTILINE)
    assert set(names) <= targets


def test_the_page_of_the_command_line_lists_every_command_and_option() -> None:
    page = text_of(DOCS / "cli.md")
    commands = next(action.choices for action in build_parser()._actions if action.choices)
    assert set(re.findall(r"^\| \[?`([a-z]+)", page, re.MULTILINE)) >= set(commands)
    options = {
        command: {o for a in sub._actions for o in a.option_strings if o.startswith("--")}
        for command, sub in commands.items()
    }
    of_generate = page[page.index("## Options of `generate`") :]
    rows = set(re.findall(r"^\| `(--[\w-]+)`", of_generate, re.MULTILINE))
    assert rows == options["generate"] - {"--help"}
    page += text_of(DOCS / "install-weights.md")
    for command, more in options.items():
        for option in more - {"--help"}:
            assert f"`{option}" in page, (command, option)


# The changelog -----------------------------------------------------------------------------------


def test_the_changelog_has_this_version() -> None:
    assert re.search(
        rf"^## {re.escape(actalker_core.__version__)}\b", text_of(ROOT / "CHANGELOG.md"), re.M
    )


# Names -------------------------------------------------------------------------------------------

PACKAGES = sorted(path.name for path in (ROOT / "actalker_core").iterdir() if path.is_dir())
NAME = re.compile(rf"`((?:{'|'.join(PACKAGES)})\.[\w.]+)`")
PATH = re.compile(r"`((?:[\w-]+/)+(?:[\w-]+\.\w+)?)`")
OUTPUT_PATHS = re.compile(r"^(demo|frames|models/actalker|ComfyUI|whisper-tiny)/")
"""Paths on the reader's machine."""


def list_names() -> list[str]:
    """The names in code that the pages for engineers tell."""
    return sorted({name for page in DOCS.glob("*.md") for name in NAME.findall(text_of(page))})


def test_names_are_seen() -> None:
    assert len(list_names()) > 60


@pytest.mark.parametrize("name", list_names())
def test_a_name_that_a_page_tells_exists(name: str) -> None:
    assert is_path(name) or resolve(f"actalker_core.{name}") is not None


def is_path(name: str) -> bool:
    return (ROOT / "actalker_core" / name).exists()


def resolve(name: str) -> object:
    """What a dotted name stands for, or None."""
    try:
        return pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return None


@pytest.mark.parametrize(
    "page", [*sorted(DOCS.glob("*.md")), ROOT / "CONTRIBUTING.md"], ids=name_of
)
def test_a_path_that_a_page_tells_exists(page: Path) -> None:
    for path in PATH.findall(text_of(page)):
        if not OUTPUT_PATHS.match(path):
            near = (ROOT, ROOT / "actalker_core", DOCS)
            assert any((folder / path).exists() for folder in near), path


# What the code says and knows --------------------------------------------------------------------

TIPS = re.compile(r"^## Tips\n(.*?)^## ", re.MULTILINE | re.DOTALL)
QUOTE = re.compile(r"(?<![\w*])\*(?=[^\s*])([^*]+)(?<=[^\s*])\*(?![\w*])(:?)")
PLACEHOLDER = re.compile(r"'[^']*'|\(?\d[\d,.]*\)?|…|: |\bexpected\b|\bthe\b|\bat character\b")
"""Values in a message, and the words at which messages are put together."""
OF_COMFYUI = {"Return type mismatch between linked nodes"}


def error_quotes(page: Path) -> Iterator[str]:
    """The emphases in the tips of a help page that are no names: errors that it explains."""
    for tips in TIPS.findall(text_of(page)):
        for text, colon in QUOTE.findall(tips):
            if colon or len(text.split()) > 3:
                yield " ".join(text.split())


def literals() -> str:
    """Every text in the code but docstrings, a line for each."""
    lines = []
    for package in ("actalker_core", "nodes"):
        for module in (ROOT / package).rglob("*.py"):
            nodes = list(ast.walk(ast.parse(module.read_text("utf-8"))))
            docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
            for node in set(nodes) - docstrings:
                if isinstance(node, ast.JoinedStr):
                    parts = [getattr(part, "value", "") for part in node.values]
                    lines.append("".join(p if isinstance(p, str) else "…" for p in parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    lines.append(node.value)
    return "\n".join(lines)


def test_errors_that_a_help_page_quotes_are_said() -> None:
    code_texts = literals()
    quotes = [
        (page.stem, q) for page in PAGES if page.parts[-3] == "web" for q in error_quotes(page)
    ]
    assert len(quotes) > 50
    for page, text in quotes:
        for part in PLACEHOLDER.split(text):
            assert text in OF_COMFYUI or part.strip() in code_texts, (page, text, part)


def test_the_page_of_weights_has_the_values_of_each_model() -> None:
    table = text_of(DOCS / "install-weights.md").partition("## The models' own values\n")[2]
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", table, re.MULTILINE)
    (_, *names), *values = rows
    assert sorted(name.strip("`") for name in names) == sorted(VARIANTS)
    for column, name in enumerate(names, start=1):
        model = VARIANTS[name.strip("`")]
        sampling = model.sampling
        assert [row[column] for row in values] == [
            ", ".join(f"{number:g}" for number in numbers)
            for numbers in (
                (sampling.short_side_px,),
                (sampling.fps,),
                (sampling.steps,),
                (sampling.sigma_max, sampling.sigma_min),
                (sampling.appearance_scale, sampling.audio_scale, sampling.expression_scale),
                (model.unet.num_frames,),
                (sampling.shift_frames,),
                (sampling.decode_frames,),
                (sampling.face_enlarged,),
            )
        ]


def test_the_steps_that_a_graph_types_are_the_built_in_models_and_its_note_says_so() -> None:
    graph = json.loads(text_of(ROOT / "workflows" / "15 Your own sampler.json"))
    values = {node["type"]: node.get("widgets_values") for node in graph["nodes"]}
    steps = {name: model.sampling.steps for name, model in VARIANTS.items()}
    assert values["BasicScheduler"][1] == steps["built-in"]
    (note,) = values["MarkdownNote"]
    assert f"{steps['built-in']} steps" in note
    assert f"type {steps['released']} for the released" in note


# Python ------------------------------------------------------------------------------------------


def test_the_examples_in_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "SECONDS", 1.0)
    (tmp_path / "demo").mkdir()
    demo.write_demo(tmp_path / "demo")
    examples = list(blocks(DOCS / "python-api.md", "python"))
    assert len(examples) > 2
    program = tmp_path / "examples.py"
    program.write_text("\n".join(examples), "utf-8")
    runpy.run_path(str(program))
    assert len(list(read_frames(tmp_path / "video.mp4", 12.5))) == 10
    assert "nothing.png" in capsys.readouterr().out


@needs_model
def test_the_examples_of_a_photograph_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / DEFAULT_PATH.parent).mkdir(parents=True)
    shutil.copy(TASK, DEFAULT_PATH)
    write_hopper(tmp_path / "me.png")
    (example,) = blocks(DOCS / "photographs.md", "python")
    (refinement,) = blocks(DOCS / "tgdm.md", "python")
    (tmp_path / "example.py").write_text(example + "\n" + refinement, "utf-8")
    runpy.run_path(str(tmp_path / "example.py"))
    assert len(list(read_frames(tmp_path / "idle.mp4", 25))) == 10
    assert capsys.readouterr().out.count("uint8") == 10
