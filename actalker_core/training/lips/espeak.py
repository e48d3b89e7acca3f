"""Speech of espeak-ng with its phones, through its library.

The library keeps one state for a whole process, and what a voice changes there stays: speak each
voice in a process of its own.
"""

import ctypes
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from .articulation import RELEASE, VOICELESS_STOPS, Phone, split_letters

Array = NDArray[np.float32]

LIBRARY = "libespeak-ng.so.1"
RETRIEVAL, PHONEME_EVENTS, IPA_NAMES = 1, 1, 2
PHONEME = 7
UTF_8 = 1
RATE, PITCH, RANGE = 1, 3, 4
CLOSURE_SECONDS, BURST_SECONDS = 0.045, 0.005
"""The event of p, t and k is their burst; the lips are shut so long before it."""
STOP_SHARE = 0.7
"""Of a b that its lips are shut."""
PULSE_CODE = np.float32(1 / 32768)
DATA, VARIANTS = "espeak-ng-data", "voices/!v"
"""Folders: of the library's data, and of the variants in it."""
OWN_VARIANT = "drawn"


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Espeak:
    """The synthesiser with one voice, for the rest of this process.

    Args:
        voice: a language, and maybe a variant, such as `de+f2`.
        rate: words per minute. pitch, pitch_range: 0…100, both 50 as it comes.
        data: a folder made by `link_data`, whose variant the voice then may name.

    Raises:
        InputError: the library or the voice is not there.
    """

    def __init__(
        self,
        voice: str,
        rate: int = 175,
        pitch: int = 50,
        pitch_range: int = 50,
        data: Path | None = None,
    ) -> None:
        self._library = _load_library()
        self.rate_hz = _initialize(self._library, data)
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise InputError(f"espeak-ng: expected one of its voices, got '{voice}'.")
        for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._pieces: list[NDArray[np.int16]] = []
        self._events: list[tuple[float, str]] = []
        self._callback = _CALLBACK(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str) -> tuple[Array, list[Phone]]:
        """Samples (t,) at `rate_hz`, and the phones in them."""
        self._pieces, self._events = [], []
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, UTF_8, None, None)
        self._library.espeak_Synchronize()
        pulses = np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)
        seconds = len(pulses) / self.rate_hz
        return pulses * PULSE_CODE, phones_of_events(self._events, seconds)

    def _receive(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, events) -> int:  # type: ignore[no-untyped-def]
        if count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].kind:
            if events[i].kind == PHONEME:
                name = events[i].name.decode("utf-8", "ignore")
                self._events.append((events[i].audio_position / 1000, name))
            i += 1
        return 0


def link_data(folder: Path, variant: str) -> None:
    """Make a folder the library's data, by links, with a variant more: `OWN_VARIANT`.

    Args:
        variant: the text of its file.

    Raises:
        InputError: the library is not there.
    """
    library = _load_library()
    _initialize(library, None)
    path = ctypes.c_char_p()
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_Info(ctypes.byref(path))
    library.espeak_Terminate()
    data = Path((path.value or b"").decode())
    _link_entries(data, folder / DATA, data / VARIANTS)
    (folder / DATA / VARIANTS / OWN_VARIANT).write_text(variant, "utf-8")


def _link_entries(source: Path, target: Path, inner: Path) -> None:
    """A folder of links to all that another holds; those on the way to an inner one are folders."""
    target.mkdir()
    for path in source.iterdir():
        if path in (inner, *inner.parents):
            _link_entries(path, target / path.name, inner)
        else:
            (target / path.name).symlink_to(path)


def _load_library() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise InputError(f"{LIBRARY}: cannot be loaded. Install espeak-ng.") from error


def _initialize(library: ctypes.CDLL, folder: Path | None) -> int:
    """Start the library with the data in a folder, or its own; samples per second."""
    path = None if folder is None else str(folder).encode()
    options = PHONEME_EVENTS | IPA_NAMES
    return int(library.espeak_Initialize(RETRIEVAL, 200, path, options))


def phones_of_events(events: Iterable[tuple[float, str]], seconds: float) -> list[Phone]:
    """Phones out of the times and names of the events; closures stand where the lips are shut."""
    starts = [*events, (seconds, "")]
    phones: list[Phone] = []
    for (start, name), (end, _) in pairwise(starts):
        letters = split_letters(name)
        if letters and letters[0] in VOICELESS_STOPS:
            closure_end = min(start + BURST_SECONDS, end)
            if phones:  # the closure is cut out of what the events put there
                last = phones.pop()
                phones.append(Phone(last.ipa, last.start, max(start - CLOSURE_SECONDS, last.start)))
            phones.append(Phone(letters[0], start - CLOSURE_SECONDS, closure_end))
            rest = "".join(letters[1:])
            phones.append(Phone(rest or RELEASE, closure_end, end))
        elif letters and letters[0] == "b":
            middle = start + STOP_SHARE * (end - start)
            phones += [Phone(name, start, middle), Phone(RELEASE, middle, end)]
        else:
            phones.append(Phone(name, start, end))
    return [phone for phone in phones if phone.end > phone.start]
