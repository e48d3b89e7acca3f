"""How well lips follow speech: against the phones' truth, on voices and languages never learnt.

openness     correlation of all rows of a voice, pauses too; the mean of the voices
shut         share of silent rows, from 0.1 s after the last sound on, with an openness below 0.1
closures     share of true ones (m, b, p) that have one of the track's within 40 ms
false, true  closures per minute: those of the track beside no true one; and the true ones
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from ...control.motion.lips import LipTrack, read_lips
from ...control.motion.lips.features import HOP, RATE_HZ, ROW_SECONDS
from ...control.motion.lips.network import LipNetwork
from ...media.audio import Audio
from .corpus import VoiceSpeech
from .disturbance import disturb
from .noises import make_noise, synthesize_music
from .takes import PULSE_CODE, REST, set_level

Array = NDArray[np.float32]
LipMethod = Callable[[Array], LipTrack]
"""What reads lips out of samples (t,) at `RATE_HZ`: the network, or a rival."""

SEED = 77
"""Of pauses, levels, noise and music that no training step hears."""
SHUT_OPENNESS = 0.1
SETTLE_ROWS = 10
TOLERANCE_ROWS = 4
TRUE_CLOSURE = 0.5
MAX_SECONDS, HUMAN_SECONDS = 38.0, 240.0
"""Of a case; and what the one person says, in several."""
EMPTY_SOUNDS, EMPTY_SECONDS = 16, 20.0
COLUMNS = {
    "openness r": ("openness", "{:.2f}"),
    "in speech": ("speech_openness", "{:.2f}"),
    "silence shut": ("shut", "{:.1%}"),
    "closures": ("closures", "{:.0%}"),
    "false a minute": ("false_per_minute", "{:.1f}"),
    "true a minute": ("true_per_minute", "{:.0f}"),
}
"""Of the table: what a column shows, and how."""


@dataclass(frozen=True)
class Case:
    """Samples (t,) at `RATE_HZ` and the mouth's columns (rows, 6) that they come from."""

    samples: Array
    columns: Array


@dataclass(frozen=True)
class LipScores:
    """Means of some cases, as the module's text says. A share of nothing is no number."""

    openness: float
    speech_openness: float
    shut: float
    closures: float
    false_per_minute: float
    true_per_minute: float


def network_reader(network: LipNetwork | None) -> LipMethod:
    """What reads lips (rows, 5) with a network, by default the package's own."""
    return lambda samples: read_lips(Audio(samples[None], RATE_HZ), network=network)


def make_cases(
    speeches: Iterable[VoiceSpeech], is_disturbed: bool, seconds: float = MAX_SECONDS
) -> list[Case]:
    """Cases of each voice: sentences with pauses; as they are, or as recordings of every day."""
    cases = []
    sentences = [case for speech in speeches for case in _join_sentences(speech, seconds)]
    for i, case in enumerate(sentences):
        rng = np.random.default_rng([SEED, i])
        samples = case.samples
        if is_disturbed:
            length = len(samples)
            noises = [make_noise(rng, length)]
            music = [synthesize_music(rng, length / RATE_HZ)]
            samples = disturb(samples, rng, noises, music)
        level_db = rng.uniform(-35, -15)
        cases.append(Case(set_level(samples, level_db), case.columns))
    return cases


def _join_sentences(speech: VoiceSpeech, seconds: float) -> Iterator[Case]:
    """The first sentences of a voice with pauses, in cases of `MAX_SECONDS`."""
    rng = np.random.default_rng([SEED, speech.voice.seed])
    sounds, tracks = [], []
    rows = total = 0
    for first, last in pairwise(speech.starts):
        pause = int(rng.integers(20, 90))
        sounds += [speech.samples[first * HOP : last * HOP], np.zeros(pause * HOP, np.int16)]
        tracks += [speech.columns[first:last], np.tile(REST, (pause, 1))]
        rows += last - first + pause
        if rows * ROW_SECONDS > MAX_SECONDS or last == speech.starts[-1]:
            yield Case(np.concatenate(sounds) * PULSE_CODE, np.concatenate(tracks))
            total += rows
            sounds, tracks, rows = [], [], 0
        if total * ROW_SECONDS > seconds:
            return


def make_empty_cases() -> tuple[list[Case], list[Case]]:
    """Noise over a mouth that is shut, and music; every other one after a second of silence."""
    noises: list[Case] = []
    music: list[Case] = []
    for i in range(EMPTY_SOUNDS):
        rng = np.random.default_rng([SEED, i])
        length = round(EMPTY_SECONDS * RATE_HZ)
        columns = np.tile(REST, (length // HOP, 1))
        for cases, sound in (
            (noises, make_noise(rng, length)),
            (music, synthesize_music(rng, EMPTY_SECONDS)),
        ):
            level_db = rng.uniform(-45, -12)
            samples = set_level(sound, level_db)
            samples[: RATE_HZ if i % 2 else 0] = 0
            cases.append(Case(samples, columns))
    return noises, music


def measure(cases: Sequence[Case], read: LipMethod) -> LipScores:
    """Scores of a reader on cases, of tracks (rows, 5)."""
    openness, speech_openness, shut = [], [], []
    hits = true = false = 0
    minutes = 0.0
    for case in cases:
        track = read(case.samples)
        rows = min(len(track), len(case.columns))
        columns = case.columns[:rows]
        openness.append(_correlate(track.openness[:rows], columns[:, 0]))
        speaks = columns[:, 5] < 0.5
        speech_openness.append(_correlate(track.openness[:rows][speaks], columns[speaks, 0]))
        rests = binary_erosion(~speaks, iterations=SETTLE_ROWS, border_value=1)
        shut.append(track.openness[:rows][rests] < SHUT_OPENNESS)
        counts = count_hits(track.closure[:rows] > 0, columns[:, 3] > TRUE_CLOSURE)
        hits, true, false = hits + counts[0], true + counts[1], false + counts[2]
        minutes += rows * ROW_SECONDS / 60
    return LipScores(
        openness=float(np.nanmean(openness)) if np.isfinite(openness).any() else np.nan,
        speech_openness=(
            float(np.nanmean(speech_openness)) if np.isfinite(speech_openness).any() else np.nan
        ),
        shut=float(np.concatenate(shut).mean()),
        closures=hits / true if true else np.nan,
        false_per_minute=false / minutes,
        true_per_minute=true / minutes,
    )


def count_hits(closures: NDArray[np.bool_], true: NDArray[np.bool_]) -> tuple[int, int, int]:
    """True closures that are found, all true ones, and those found beside no true one.

    A closure is a run of rows (rows,); it is found where the middle of another lies within it or
    `TOLERANCE_ROWS` beside it. Each counts for one.
    """
    middles = [(first + last - 1) / 2 for first, last in _runs(closures)]
    runs = _runs(true)
    hits = 0
    for first, last in runs:
        near = [m for m in middles if first - TOLERANCE_ROWS <= m <= last - 1 + TOLERANCE_ROWS]
        if near:
            middles.remove(min(near, key=lambda m: abs(m - (first + last - 1) / 2)))
            hits += 1
    return hits, len(runs), len(middles)


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First row and row after the last of each run of true ones in (rows,)."""
    edges = np.diff(np.concatenate([[0], flags.astype(int), [0]]))
    starts, ends = np.flatnonzero(edges > 0).tolist(), np.flatnonzero(edges < 0).tolist()
    return list(zip(starts, ends, strict=True))


def _correlate(a: Array, b: Array) -> float:
    if len(a) < 2 or b.std() < 1e-6:
        return float("nan")
    return 0.0 if a.std() < 1e-6 else float(np.corrcoef(a, b)[0, 1])


def measure_all(
    speeches: Sequence[VoiceSpeech], readers: Mapping[str, LipMethod], seconds: float = np.inf
) -> dict[str, dict[str, LipScores]]:
    """Scores of every reader, of tracks (rows, 5), on speech, noise and music: by case and reader.

    Args:
        speeches: of voices that were not learnt from; those of people are cases of their own.
        seconds: how much of each case, about, from all over it.
    """
    synthetic = [speech for speech in speeches if not speech.voice.is_human]
    cases: dict[str, list[Case]] = {
        "unseen languages, clean": make_cases(synthetic, False),
        "unseen languages, disturbed": make_cases(synthetic, True),
    }
    for speech in speeches:
        if speech.voice.is_human:
            name = f"unseen person, {speech.voice.synthesiser}"
            cases[f"{name}, clean"] = make_cases([speech], False, HUMAN_SECONDS)
            cases[f"{name}, disturbed"] = make_cases([speech], True, HUMAN_SECONDS)
    cases["noise"], cases["music"] = make_empty_cases()
    return {
        name: {
            reader: measure(choose_cases(group, seconds), read) for reader, read in readers.items()
        }
        for name, group in cases.items()
    }


def choose_cases(cases: Sequence[Case], seconds: float) -> list[Case]:
    """Some of the cases, evenly from all of them, that last about so long together; one at least.

    Their samples (t,) stay as they are.
    """
    total = sum(len(case.columns) for case in cases) * ROW_SECONDS
    count = min(len(cases), max(1, round(len(cases) * min(seconds / total, 1))))
    return [cases[i * len(cases) // count] for i in range(count)]


def format_scores(scores: Mapping[str, Mapping[str, LipScores]]) -> str:
    """Scores as a Markdown table: a row for every case and reader."""
    rows = [["case", "read by", *COLUMNS], ["---"] * (len(COLUMNS) + 2)]
    for case, readers in scores.items():
        for reader, score in readers.items():
            values = [form.format(getattr(score, name)) for name, form in COLUMNS.values()]
            rows.append(
                [case, reader, *(value.replace("nan%", "").replace("nan", "") for value in values)]
            )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
