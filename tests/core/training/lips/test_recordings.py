"""Recorded sentences and their phones; PocketSphinx is played by a stand-in."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from actalker_core.errors import InputError
from actalker_core.training.lips import recordings
from actalker_core.training.lips.articulation import RELEASE, Phone
from actalker_core.training.lips.recordings import align_phones, speak_librivox

SILENT = np.zeros(8000, np.float32)


@dataclass(frozen=True)
class Entry:
    name: str
    start: int
    duration: int


class StandIn:
    """Says that every text is 'pa' between two pauses, and knows no word 'xyzzy'."""

    def __init__(self, **_options: object) -> None:
        self.is_aligned = False

    def set_align_text(self, words: str) -> None:
        if words == "xyzzy":
            raise RuntimeError(words)

    def start_utt(self) -> None: ...

    def process_raw(self, pulses: bytes, full_utt: bool) -> None:
        assert full_utt
        assert len(pulses) == 2 * len(SILENT)

    def end_utt(self) -> None: ...

    def set_alignment(self) -> None:
        self.is_aligned = True

    def get_alignment(self) -> list[list[Entry]]:
        assert self.is_aligned
        return [[Entry("SIL", 0, 10)], [Entry("P", 10, 10), Entry("AA", 20, 20)]]


@pytest.fixture
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", SimpleNamespace(Decoder=StandIn))


@pytest.mark.usefixtures("_stand_in")
def test_a_stop_is_shut_until_its_burst() -> None:
    phones = align_phones(SILENT, "pa")
    assert [phone.ipa for phone in phones] == ["", "p", RELEASE, "ɑ"]
    assert phones[0] == Phone("", 0.0, 0.1)
    assert phones[1].start == pytest.approx(0.1)
    assert 0.1 < phones[1].end == phones[2].start < 0.2
    assert phones[3].end == pytest.approx(0.4)


@pytest.mark.usefixtures("_stand_in")
def test_a_word_that_is_not_known_is_named() -> None:
    with pytest.raises(InputError, match="xyzzy"):
        align_phones(SILENT, "xyzzy")


def test_without_pocketsphinx_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(InputError, match="pip install pocketsphinx"):
        align_phones(SILENT, "pa")


@pytest.mark.usefixtures("_stand_in")
def test_sentences_come_with_their_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "FOLDER", tmp_path)
    assert list(speak_librivox()) == []
    soundfile.write(tmp_path / "one.wav", SILENT, 16000)
    (tmp_path / "transcription").write_text("<s> pa </s> (one)\n\n", "utf-8")
    ((samples, rate_hz, phones),) = speak_librivox()
    assert (len(samples), rate_hz, len(phones)) == (len(SILENT), 16000, 4)
