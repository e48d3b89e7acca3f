"""What runs in the browser is light, and its words are there in every language."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).parents[2] / "web"
SCRIPTS = {path: path.read_text("utf-8") for path in sorted((WEB / "js").rglob("*.js"))}
STYLE = (WEB / "style.css").read_text("utf-8")
MAX_BYTES = 150_000
"""Of all scripts together."""

PLACEHOLDER = re.compile(r"\{\d\}")
MAKER = re.compile(r"\b(\w+) = makeWords\(\"(\w+)\"\)")


def words(language: str) -> dict[str, dict[str, str]]:
    parts: dict[str, dict[str, str]] = json.loads(
        (WEB / "words" / f"{language}.json").read_text("utf-8")
    )
    return parts


def flatten(parts: dict[str, dict[str, str]]) -> dict[tuple[str, str], str]:
    return {(part, name): text for part, names in parts.items() for name, text in names.items()}


def test_the_scripts_are_light() -> None:
    assert sum(path.stat().st_size for path in SCRIPTS) < MAX_BYTES


def test_every_word_is_there_in_both_languages() -> None:
    english, chinese = flatten(words("en")), flatten(words("zh"))
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        assert text.strip()
        assert chinese[key].strip()
        assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(chinese[key])), key


def uses() -> list[tuple[str, str]]:
    """Part and name of each word that a script names outright."""
    return [
        (part, name)
        for text in SCRIPTS.values()
        for maker, part in MAKER.findall(text)
        for name in re.findall(rf'\b{maker}\("(\w+)"', text)
    ]


@pytest.mark.parametrize(("part", "name"), sorted(set(uses())))
def test_a_word_that_a_script_says_is_there(part: str, name: str) -> None:
    assert name in words("en")[part]


def test_no_word_is_left_over() -> None:
    text = "\n".join(SCRIPTS.values())
    # Names of stages come from the server, see tests/nodes/test_running.py.
    for part, name in flatten(words("en")):
        is_said: Any = re.search(rf"[\"`\s{{]{name}[\"`:,\s]", text)
        assert is_said or part in ("stages", "progress"), (part, name)


def test_every_part_of_the_words_is_taken() -> None:
    parts = {part for text in SCRIPTS.values() for _, part in MAKER.findall(text)}
    assert parts == words("en").keys()


def test_every_class_that_is_styled_is_used() -> None:
    text = "\n".join(SCRIPTS.values())
    for name in set(re.findall(r"\.(actalker-\w+|chosen|signal|tool|fault)\b", STYLE)):
        assert re.search(rf"[\"` ]{name}[\"` ]", text), name
