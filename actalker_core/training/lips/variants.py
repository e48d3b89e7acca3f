"""Variants of espeak-ng's voices, by dice: throats, breath and rooms that no list of names has.

Source: espeak-ng, docs/voices.md, for what the lines of a variant mean.
"""

import numpy as np

Rng = np.random.Generator

FORMANTS = 9
KLATT_SHARE, BREATH_SHARE, ECHO_SHARE, TONE_SHARE = 0.12, 0.3, 0.25, 0.3
"""Of the variants that are made by Klatt's synthesis, that are breathy, that echo, whose spectrum
is tilted."""


def draw_variant(rng: Rng) -> str:
    """The text of a variant's file."""
    base_hz = np.exp(rng.uniform(np.log(60), np.log(240)))
    lines = [
        "language variant",
        f"pitch {base_hz:.0f} {base_hz * rng.uniform(1.1, 1.7):.0f}",
        f"flutter {rng.integers(0, 15)}",
        f"roughness {rng.integers(0, 4)}",
        f"voicing {rng.uniform(30, 150):.0f}",
        f"consonants {rng.uniform(40, 120):.0f} {rng.uniform(20, 120):.0f}",
        f"stressAmp {_join(rng.uniform(12, 30, 8))}",
        *_draw_formants(rng),
    ]
    if rng.random() < KLATT_SHARE:
        lines.append(f"klatt {rng.integers(1, 7)}")
    if rng.random() < BREATH_SHARE:
        lines.append(f"breath {_join(rng.uniform(0, 25) * rng.random(8))}")
        lines.append("breathw 150 150 200 200 400 400")
    if rng.random() < ECHO_SHARE:
        lines.append(f"echo {rng.integers(20, 130)} {rng.integers(10, 60)}")
    if rng.random() < TONE_SHARE:
        places = np.sort(rng.uniform(100, 4000, 4))
        levels = rng.uniform(60, 255, 4)
        lines.append(f"tone {_join(np.stack([places, levels], axis=1).ravel())}")
    return "\n".join(lines) + "\n"


def _draw_formants(rng: Rng) -> list[str]:
    """Lines of formants: place, height and width in percent of the voice's own."""
    throat, height, width = np.exp(rng.normal(0, (0.1, 0.12, 0.2)))
    lines = []
    for i in range(FORMANTS):
        place_percent = 100 * throat * np.exp(rng.normal(0, 0.08))
        height_percent = 100 * height * np.exp(rng.normal(0, 0.2))
        width_percent = 100 * width * np.exp(rng.normal(0, 0.15))
        values = [place_percent, height_percent, width_percent]
        lines.append(f"formant {i} {_join(np.clip(values, 50, 190))}")
    return lines


def _join(values: np.ndarray) -> str:
    return " ".join(f"{value:.0f}" for value in values)
