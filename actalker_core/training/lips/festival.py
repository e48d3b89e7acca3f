"""Speech of flite and festival with its phones: voices cut out of recordings of people."""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from numpy.typing import NDArray

from . import phonesets
from .articulation import RELEASE, Phone

Array = NDArray[np.float32]

STOP_SHARES = {"p": 0.88, "b": 0.88}
BREATHY_STOP_SHARES = {"p": 0.68, "b": 0.88}
"""Of a stop that its lips are shut, as the voices' loudness shows: a phone holds its burst too, and
in English the breath after a p."""


@dataclass(frozen=True)
class FestivalVoice:
    """A voice of festival: its function, the phone set and what encodes its texts."""

    name: str
    phoneset: dict[str, str]
    encoding: str = "iso-8859-1"


FESTIVAL_VOICES = {
    "ked": FestivalVoice("ked_diphone", phonesets.ENGLISH),
    "kal": FestivalVoice("kal_diphone", phonesets.ENGLISH),
    "slt_hts": FestivalVoice("cmu_us_slt_arctic_hts", phonesets.ENGLISH),
    "lp": FestivalVoice("lp_diphone", phonesets.ITALIAN),
    "pc": FestivalVoice("pc_diphone", phonesets.ITALIAN),
    "dita": FestivalVoice("czech_dita", phonesets.CZECH, "iso-8859-2"),
    "krb": FestivalVoice("czech_krb", phonesets.CZECH, "iso-8859-2"),
    "machac": FestivalVoice("czech_machac", phonesets.CZECH, "iso-8859-2"),
    "ph": FestivalVoice("czech_ph", phonesets.CZECH, "iso-8859-2"),
    "lj": FestivalVoice("suo_fi_lj_diphone", phonesets.FINNISH),
    "mv": FestivalVoice("hy_fi_mv_diphone", phonesets.FINNISH),
    "nsh": FestivalVoice("msu_ru_nsh_clunits", phonesets.RUSSIAN, "utf-8"),
    "ona": FestivalVoice("upc_ca_ona_hts", phonesets.CATALAN, "utf-8"),
}
"""Voices of festival in Debian, by a short name."""


def speak_festival(
    voice: FestivalVoice, texts: Sequence[str], stretch: float = 1.0
) -> Iterator[tuple[Array, int, list[Phone]]]:
    """Samples (t,), their rate and phones, of each text that festival can say.

    Args:
        stretch: factor on how long phones last.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        script = _script(voice, texts, folder, stretch)
        (folder / "say.scm").write_bytes(script.encode(voice.encoding, "ignore"))
        subprocess.run(
            ["festival", "-b", str(folder / "say.scm")], capture_output=True, check=False
        )
        for i in range(len(texts)):
            wave, segments = folder / f"{i}.wav", folder / f"{i}.txt"
            if wave.is_file() and segments.is_file():
                samples, rate_hz = soundfile.read(wave, dtype="float32")
                lines = segments.read_text("latin-1").split("\n")
                times = [(line.split()[0], float(line.split()[1])) for line in lines if line]
                yield samples, rate_hz, _phones_of_ends(times, voice.phoneset)


def _script(voice: FestivalVoice, texts: Sequence[str], folder: Path, stretch: float) -> str:
    lines = [
        f"(voice_{voice.name})",
        f"(Parameter.set 'Duration_Stretch {stretch:.3f})",
        '(define (say text wave segments) (let ((u (SynthText text)) (f (fopen segments "w")))',
        '(mapcar (lambda (s) (format f "%s %f\\n" (item.name s) (item.feat s "end")))',
        "(utt.relation.items u 'Segment)) (fclose f) (utt.save.wave u wave 'riff)))",
    ]
    for i, text in enumerate(texts):
        words = text.replace("\\", " ").replace('"', " ")
        say = f'(say "{words}" "{folder}/{i}.wav" "{folder}/{i}.txt")'
        lines.append(f"(unwind-protect {say} nil)")
    return "\n".join(lines)


def speak_flite(
    voice: str, texts: Iterable[str], stretch: float = 1.0
) -> Iterator[tuple[Array, int, list[Phone]]]:
    """Samples (t,), their rate and phones, of each text by a voice of flite.

    Args:
        stretch: factor on how long phones last.
    """
    with TemporaryDirectory() as name:
        wave = Path(name) / "said.wav"
        for text in texts:
            command = ["flite", "-voice", voice, "-psdur", "--setf", f"duration_stretch={stretch}"]
            result = subprocess.run(
                [*command, "-t", text, "-o", str(wave)],
                capture_output=True,
                text=True,
                check=True,
            )
            times = [part.rpartition(":")[::2] for part in result.stdout.split()]
            samples, rate_hz = soundfile.read(wave, dtype="float32")
            ends = [(phone, float(end)) for phone, end in times]
            yield samples, rate_hz, _phones_of_ends(ends, phonesets.ENGLISH)


def _phones_of_ends(ends: Iterable[tuple[str, float]], phoneset: dict[str, str]) -> list[Phone]:
    """Phones out of the names and ends of segments."""
    shares = BREATHY_STOP_SHARES if phoneset is phonesets.ENGLISH else STOP_SHARES
    phones, start = [], 0.0
    for name, end in ends:
        ipa = phonesets.to_ipa(name, phoneset)
        share = shares.get(ipa[:1])
        if share is None:
            phones.append(Phone(ipa, start, end))
        else:
            middle = start + share * (end - start)
            phones += [Phone(ipa, start, middle), Phone(RELEASE, middle, end)]
        start = end
    return phones
