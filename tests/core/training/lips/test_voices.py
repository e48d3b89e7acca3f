"""Who is learnt from, who chooses and who is measured: other voices, of other languages."""

import ctypes
import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from actalker_core.training.lips.espeak import LIBRARY, OWN_VARIANT, Espeak, link_data
from actalker_core.training.lips.variants import FORMANTS, draw_variant
from actalker_core.training.lips.voices import (
    HUMAN_HELD_OUT,
    LANGUAGES_HELD_OUT,
    TRAINING,
    VALIDATION,
    list_voices,
)

VOICES = list(list_voices())


def collect_parts(part: str) -> tuple[set[str], set[str], set[str]]:
    """Languages, variants with a name, and people of a part."""
    pairs = [v.voice.split("+") for v in VOICES if v.part == part and v.synthesiser == "espeak"]
    people = {voice.voice for voice in VOICES if voice.part == part and voice.is_human}
    return {pair[0] for pair in pairs}, {pair[1] for pair in pairs} - {OWN_VARIANT}, people


def test_the_parts_share_no_language_no_variant_and_nobody() -> None:
    parts = [collect_parts(part) for part in (TRAINING, VALIDATION, LANGUAGES_HELD_OUT)]
    for kind in range(3):
        names = [name for part in parts for name in part[kind]]
        assert len(names) == len(set(names))
    people = collect_parts(HUMAN_HELD_OUT)[2]
    assert people
    assert not people & (parts[0][2] | parts[1][2])
    assert len(parts[0][0]) >= 12


def test_every_voice_has_a_file_of_its_own() -> None:
    names = [voice.name for voice in VOICES]
    assert len(names) == len(set(names))
    assert names == [voice.name for voice in list_voices()]


def test_a_drawn_variant_follows_from_its_generator() -> None:
    texts = {draw_variant(np.random.default_rng(seed)) for seed in range(20)}
    assert len(texts) == 20
    assert draw_variant(np.random.default_rng(3)) == draw_variant(np.random.default_rng(3))
    for text in texts:
        formants = [line.split() for line in text.splitlines() if line.startswith("formant")]
        assert [int(words[1]) for words in formants] == list(range(FORMANTS))
        percents = np.array([words[2:] for words in formants], float)
        assert percents.min() >= 50
        assert percents.max() <= 190


def _speak(folder: Path, seed: int, queue: "multiprocessing.Queue[object]") -> None:
    data = None
    if seed >= 0:
        data = folder / str(seed)
        data.mkdir()
        link_data(data, draw_variant(np.random.default_rng(seed)))
    voice = "en" if data is None else f"en+{OWN_VARIANT}"
    samples, phones = Espeak(voice, data=data).speak("Bob may pay for my map.")
    queue.put((samples, "".join(phone.ipa for phone in phones)))


def test_a_drawn_variant_says_the_same_in_another_voice(tmp_path: Path) -> None:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        pytest.skip("needs espeak-ng")
    context = multiprocessing.get_context("fork")
    results = []
    for seed in (-1, 0, 1):
        queue = context.Queue()
        worker = context.Process(target=_speak, args=(tmp_path, seed, queue))
        worker.start()
        results.append(queue.get(timeout=60))
        worker.join()
    assert len({phones for _, phones in results}) == 1
    assert all(samples.std() > 1e-3 for samples, _ in results)
    lengths = {len(samples) for samples, _ in results}
    assert len(lengths) > 1 or not np.allclose(results[0][0], results[1][0])
