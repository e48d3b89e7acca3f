"""What the lips do for each phone: a table of poses, and tracks that glide between them.

A phone is written in the letters of the IPA, whatever its synthesiser calls it. The tables are
phonetics of the textbook: the lower the vowel, the opener the mouth; lips are round where the chart
says so; bilabials shut them; labiodentals put the teeth on the lower one.

Source: International Phonetic Association, "Handbook of the IPA", 1999, for the charts; Cohen and
Massaro, "Modeling coarticulation in synthetic visual speech", 1993, for phones that dominate their
neighbours more or less.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...control.motion.lips.features import ROW_SECONDS

Array = NDArray[np.float64]

SHAPE_SECONDS, CONTACT_SECONDS = 0.03, 0.008
"""How smoothly lips glide, and how quickly they meet and part (deviation of a Gaussian)."""
MIN_SILENCE_SECONDS = 0.08
"""A shorter gap in the sound shuts no mouth."""
DIPHTHONG_SHARE = 0.55
"""Of a diphthong's time that its first vowel takes."""
SILENCE, RELEASE = "_", "ʰ"
"""Phones of our own: no speech, and what follows a closure's end."""


@dataclass(frozen=True)
class Phone:
    """A piece of speech: its letters of the IPA, its start and end in seconds."""

    ipa: str
    start: float
    end: float


@dataclass(frozen=True)
class Pose:
    """What the lips do for a phone.

    Attributes:
        openness: 0…1. width: −1…1. pucker: 0…1.
        dominance: how much the phone insists, against its neighbours.
        closure: 1 where the lips touch. teeth_on_lip: 1 where the teeth touch the lower lip.
    """

    openness: float
    width: float = 0.0
    pucker: float = 0.0
    dominance: float = 1.0
    closure: float = 0.0
    teeth_on_lip: float = 0.0


SHUT = Pose(0.0, 0.0, 0.0, 1.0)
BILABIAL = Pose(0.0, 0.0, 0.0, 1.5, closure=1.0)
LABIODENTAL = Pose(0.06, 0.1, 0.0, 1.2, teeth_on_lip=1.0)
HISS = Pose(0.12, 0.5, 0.0, 0.8)
HUSH = Pose(0.2, -0.4, 0.7, 0.9)
TONGUE_TIP = Pose(0.22, 0.15, 0.0, 0.4)
TONGUE_BACK = Pose(0.3, 0.0, 0.0, 0.12)
UNKNOWN = Pose(0.35, 0.0, 0.0, 0.1)

POSES: dict[str, Pose] = {
    SILENCE: SHUT,
    RELEASE: Pose(0.3, 0.0, 0.0, 0.1),
    **dict.fromkeys("pbmɓ", BILABIAL),
    **dict.fromkeys("ɸβ", Pose(0.06, 0.0, 0.2, 1.0)),
    **dict.fromkeys("fvɱ", LABIODENTAL),
    "ʋ": Pose(0.12, 0.0, 0.1, 0.9, teeth_on_lip=0.5),
    **dict.fromkeys("wʍɥ", Pose(0.15, -0.6, 1.0, 1.0)),
    **dict.fromkeys("szɬɮ", HISS),
    **dict.fromkeys("ʃʒ", HUSH),
    **dict.fromkeys("ɕʑ", Pose(0.18, 0.1, 0.35, 0.8)),
    **dict.fromkeys("ʂʐ", Pose(0.2, -0.2, 0.5, 0.8)),
    **dict.fromkeys("tdnlɾrθðɗɫɲʎɭɳʈɖɽɺ", TONGUE_TIP),
    **dict.fromkeys("ɹɻ", Pose(0.25, -0.25, 0.45, 0.6)),
    **dict.fromkeys("kɡgŋxɣqɢχʁhɦʔħʕcɟçʝɰʀɴɠʕ", TONGUE_BACK),
    "j": Pose(0.2, 0.7, 0.0, 0.5),
    # Vowels: front, central, back; from close to open.
    "i": Pose(0.22, 1.0),
    "ɪ": Pose(0.3, 0.7),
    "e": Pose(0.42, 0.75),
    "ɛ": Pose(0.55, 0.6),
    "æ": Pose(0.75, 0.55),
    "a": Pose(1.0, 0.1),
    "y": Pose(0.2, -0.4, 0.9),
    "ʏ": Pose(0.26, -0.35, 0.75),
    "ø": Pose(0.38, -0.35, 0.75),
    "œ": Pose(0.5, -0.25, 0.55),
    "ɶ": Pose(0.8, -0.1, 0.3),
    "ɨ": Pose(0.24, 0.4),
    "ʉ": Pose(0.22, -0.5, 0.9),
    "ɘ": Pose(0.38, 0.2),
    "ɵ": Pose(0.36, -0.3, 0.6),
    "ə": Pose(0.4, 0.05, 0.0, 0.7),
    "ɜ": Pose(0.48, 0.0, 0.1),
    "ɝ": Pose(0.42, -0.1, 0.3),
    "ɚ": Pose(0.4, -0.1, 0.25, 0.8),
    "ɞ": Pose(0.5, -0.2, 0.4),
    "ɐ": Pose(0.7, 0.05, 0.0, 0.8),
    "ɯ": Pose(0.24, 0.2),
    "ɤ": Pose(0.4, 0.1),
    "ʌ": Pose(0.65, 0.0),
    "ɑ": Pose(0.95, 0.0),
    "u": Pose(0.22, -0.6, 1.0),
    "ʊ": Pose(0.3, -0.45, 0.7),
    "o": Pose(0.45, -0.4, 0.8),
    "ɔ": Pose(0.62, -0.3, 0.6),
    "ɒ": Pose(0.8, -0.15, 0.35),
}
"""Poses by their letter."""

VOWELS = frozenset("iɪeɛæayʏøœɶɨʉɘɵəɜɝɚɞɐɯɤʌɑuʊoɔɒ")
VOICELESS_STOPS = frozenset("ptkcqʈ")
BEHIND_A_STOP = frozenset("szʃʒɕʑʂʐɬ")
LETTERS = {"ᵻ": "ɨ", "ʲ": "", "ʷ": "w", "ɩ": "ɪ", "ɷ": "ʊ", "ʧ": "tʃ", "ʤ": "dʒ", "ʦ": "ts"}
"""What a letter is written as here; diacritics have none of their own and are left out."""


@dataclass(frozen=True)
class MouthTrack:
    """What the lips of a speaker do, per 10 ms: what the network learns.

    Attributes:
        openness, width, pucker, closure, teeth_on_lip: (rows,) as in `LipTrack`.
        silence: (rows,) 1 where nobody speaks.
    """

    openness: Array
    width: Array
    pucker: Array
    closure: Array
    teeth_on_lip: Array
    silence: Array

    @property
    def columns(self) -> Array:
        """All of them, in this order: (rows, 6)."""
        return np.stack(
            [
                self.openness,
                self.width,
                self.pucker,
                self.closure,
                self.teeth_on_lip,
                self.silence,
            ],
            axis=1,
        )


def split_letters(ipa: str) -> list[str]:
    """The letters of a phone that have a pose: `tʃ` → t, ʃ; `ɑ̃ː` → ɑ."""
    letters = []
    for sign in unicodedata.normalize("NFD", ipa):
        letters += [letter for letter in LETTERS.get(sign, sign) if letter in POSES]
    return letters


def spread_phone(phone: Phone) -> list[tuple[Pose, float, float]]:
    """Poses of a phone, each with its start and end: two for a diphthong."""
    letters = split_letters(phone.ipa)
    if not letters:
        is_silent = not phone.ipa.strip()
        pose = SHUT if is_silent else UNKNOWN
        return [(pose, phone.start, phone.end)]
    if len(letters) > 1 and letters[0] in "td" and letters[1] in BEHIND_A_STOP:
        letters = letters[1:]  # the lips of an affricate are its hiss's from the beginning
    if len(letters) == 1:
        return [(POSES[letters[0]], phone.start, phone.end)]
    first, last = letters[0], letters[-1]
    share = DIPHTHONG_SHARE if first in VOWELS and last in VOWELS else 1 / 2
    middle = phone.start + share * (phone.end - phone.start)
    return [(POSES[first], phone.start, middle), (POSES[last], middle, phone.end)]


def is_silence(phone: Phone) -> bool:
    """Whether a phone is none: a pause."""
    return not phone.ipa.strip() or phone.ipa == SILENCE


def move_lips(phones: Sequence[Phone], rows: int) -> MouthTrack:
    """The lips that say phones, per 10 ms (rows,).

    Every phone asks for its pose as long as it lasts; requests are smoothed over time and weighed
    by how much each phone insists: an unimportant one takes the shape of its neighbours.
    """
    requests = np.zeros((rows, 6))
    requests[:, 3] = SHUT.dominance
    contacts = np.zeros((rows, 2))
    silence = np.ones(rows)
    for phone in phones:
        if is_silence(phone) and phone.end - phone.start < MIN_SILENCE_SECONDS:
            requests[_rows(phone.start, phone.end, rows), :4] = (0.1, 0, 0, 0.1)
            silence[_rows(phone.start, phone.end, rows)] = 0
            continue
        for pose, start, end in spread_phone(phone):
            within = _rows(start, end, rows)
            shape = np.array([pose.openness, pose.width, pose.pucker, 1.0])
            requests[within, :4] = shape * pose.dominance
            contacts[within] = pose.closure, pose.teeth_on_lip
            silence[within] = is_silence(phone)
    return _smooth_requests(requests, contacts, silence)


def _smooth_requests(requests: Array, contacts: Array, silence: Array) -> MouthTrack:
    sums = smooth(requests[:, :4], SHAPE_SECONDS)
    openness, width, pucker = (sums[:, :3] / np.maximum(sums[:, 3:4], 1e-6)).T
    closure, teeth_on_lip = smooth(contacts, CONTACT_SECONDS).T
    # Between two words that pause the mouth is shut; it opens as early as the sound needs.
    openness = openness * (1 - closure) * (1 - 0.8 * teeth_on_lip)
    return MouthTrack(openness, width, pucker, closure, teeth_on_lip, silence)


def _rows(start: float, end: float, rows: int) -> slice:
    """The rows whose middle lies between two times."""
    first, last = round(start / ROW_SECONDS), round(end / ROW_SECONDS)
    return slice(min(max(first, 0), rows), min(max(last, 0), rows))


def smooth(track: Array, seconds: float) -> Array:
    """A track (rows, n) convolved with a Gaussian along time."""
    reach = int(np.ceil(3 * seconds / ROW_SECONDS))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * ROW_SECONDS / seconds) ** 2)
    edges = np.pad(track, ((reach, reach), (0, 0)), "edge")
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in edges.T]
    return np.stack(columns, axis=1)
