"""Editors speak the language that is chosen for the front end."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from helpers.browser import Page


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ["1 face", "not saved: 2"]),
        ("zh", ["1 张人脸", "未保存：2"]),
        ("zh-TW", ["1 张人脸", "未保存：2"]),
        ("fr", ["1 face", "not saved: 2"]),
    ],
)
def test_words_follow_the_language_of_the_front_end(
    page: "Page", locale: str, words: list[str]
) -> None:
    assert words == page.run(
        "const { makeWords } = await import('/extensions/actalker/js/base/words.js');"
        "const { setting } = app.extensionManager, before = setting.get, [locale] = arguments;"
        "setting.get = (id) => (id === 'Comfy.Locale' ? locale : before(id));"
        "try { return [makeWords('faces')('one'), makeWords('face_editor')('notStored', 2)]; }"
        "finally { setting.get = before; }",
        locale,
    )
