"""What the network is held against: a recogniser of phones, and loudness with formants."""

import librosa
import numpy as np
from numpy.typing import NDArray

from ...control.motion.lips import LipTrack
from ...control.motion.lips.features import HOP, RATE_HZ, ROW_SECONDS
from ...errors import InputError
from .articulation import Phone, move_lips, smooth
from .phonesets import ENGLISH, to_ipa

Array = NDArray[np.float32]

FULL_SCALE = 32767
TRUE_CLOSURE = 0.5
"""Of a phone's track: closures as the network's decoder gives them, all or nothing."""
LPC_ORDER, LPC_WINDOW = 16, 480
PRE_EMPHASIS = 0.97
LOUDNESS_RANGE_DB = 38.0


def read_with_pocketsphinx(samples: Array) -> LipTrack:
    """Lips (rows) of the phones that PocketSphinx's English recogniser hears in samples (t,).

    Raises:
        InputError: the package is not installed.
    """
    try:
        from pocketsphinx import Decoder, get_model_path
    except ImportError as error:
        raise InputError(
            "PocketSphinx is not installed, which only this comparison needs: `pip install "
            "pocketsphinx` into an environment of its own."
        ) from error
    model = get_model_path("en-us/en-us-phone.lm.bin")
    decoder = Decoder(allphone=model, lm=None, dict=None, loglevel="FATAL", lw=2.0)
    decoder.start_utt()
    pulses = (samples / max(float(np.abs(samples).max()), 1e-6) * 0.7 * FULL_SCALE).astype(np.int16)
    decoder.process_raw(pulses.tobytes(), full_utt=True)
    decoder.end_utt()
    phones = []
    for segment in decoder.seg() or ():
        name = segment.word.lower()
        ipa = "" if name in ("sil", "+spn+", "+nsn+") else to_ipa(name, ENGLISH)
        end = (segment.end_frame + 1) * ROW_SECONDS
        phones.append(Phone(ipa, segment.start_frame * ROW_SECONDS, end))
    mouth = move_lips(phones, len(samples) // HOP)
    closure = np.where(mouth.closure > TRUE_CLOSURE, mouth.closure, 0)
    columns = [mouth.openness, mouth.width, mouth.pucker, closure, mouth.teeth_on_lip]
    return LipTrack.of_columns(np.stack(columns, axis=1).astype(np.float32))


def read_with_formants(samples: Array) -> LipTrack:
    """Lips (rows) by rule: as open as it is loud and as the first formant is high; no closures.

    The second formant, high in "ee" and low in "oo", tells the width. Both are held against what
    they are in the loud rows of the whole sound (t,).
    """
    rows = len(samples) // HOP
    pad = (LPC_WINDOW - HOP) // 2
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, pad), LPC_WINDOW)[::HOP][
        :rows
    ]
    level_db = 10 * np.log10((frames**2).mean(1) + 1e-10)
    quiet, peak = np.percentile(level_db, [10, 95])
    floor = max(quiet, peak - LOUDNESS_RANGE_DB) + 6
    loudness = np.clip((level_db - floor) / max(peak - floor, 1e-3), 0, 1)
    formants_hz = np.array([_find_formants(frame) for frame in frames])
    if np.isfinite(formants_hz).sum() < 4 or not (loudness > 0.4).any():
        return LipTrack.of_columns(np.zeros((rows, 5), np.float32))
    first, second = (_place(_fill(column), loudness > 0.4) for column in formants_hz.T)
    openness = smooth((loudness**0.8 * (0.45 + 0.55 * first))[:, None], 0.02)[:, 0]
    width = smooth(((2 * second - 1) * np.clip(1.5 * loudness, 0, 1))[:, None], 0.03)[:, 0]
    rest = np.zeros(rows)
    return LipTrack.of_columns(np.stack([openness, width, rest, rest, rest], axis=1))


def _find_formants(frame: Array) -> tuple[float, float]:
    """The two lowest resonances in Hz; no numbers where there are none."""
    sound = np.append(frame[0], frame[1:] - PRE_EMPHASIS * frame[:-1]) * np.hamming(len(frame))
    if np.abs(sound).max() < 1e-4:
        return np.nan, np.nan
    roots = np.roots(librosa.lpc(sound.astype(np.float64), order=LPC_ORDER))
    roots = roots[roots.imag > 0.01]
    hz = np.angle(roots) * RATE_HZ / 2 / np.pi
    width_hz = -np.log(np.abs(roots)) * RATE_HZ / np.pi
    peaks_hz = np.sort(hz[(width_hz < 500) & (hz > 180) & (hz < 3500)])
    return (float(peaks_hz[0]), float(peaks_hz[1])) if len(peaks_hz) > 1 else (np.nan, np.nan)


def _fill(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """A column (rows,) with its gaps bridged."""
    places = np.flatnonzero(np.isfinite(column))
    return np.interp(np.arange(len(column)), places, column[places])


def _place(column: NDArray[np.float64], loud: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Where each value (rows,) stands among those of loud rows: 0…1."""
    low, high = np.percentile(column[loud], [10, 90])
    return np.asarray(np.clip((column - low) / max(high - low, 1e-6), 0, 1))


RIVALS = {"pocketsphinx": read_with_pocketsphinx, "formants": read_with_formants}
"""By the names that the command line knows them by."""
