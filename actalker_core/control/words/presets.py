"""Emotions as ARKit blendshapes, for a bank without CLIP.

Source: the action units that Ekman and Friesen (Facial Action Coding System, 1978) name for each
emotion, written as the blendshapes that move the same muscles.
"""

SMILE, FROWN = ("mouthSmileLeft", "mouthSmileRight"), ("mouthFrownLeft", "mouthFrownRight")
BROWS_DOWN = ("browDownLeft", "browDownRight")
BROWS_UP = ("browOuterUpLeft", "browOuterUpRight")
EYES_WIDE, SQUINT = ("eyeWideLeft", "eyeWideRight"), ("eyeSquintLeft", "eyeSquintRight")
BLINK = ("eyeBlinkLeft", "eyeBlinkRight")
SNEER, STRETCH = ("noseSneerLeft", "noseSneerRight"), ("mouthStretchLeft", "mouthStretchRight")
PRESS, UPPER_UP = ("mouthPressLeft", "mouthPressRight"), ("mouthUpperUpLeft", "mouthUpperUpRight")


def _join(*groups: tuple[tuple[str, ...], float], **values: float) -> dict[str, float]:
    """Blendshapes of groups that move alike, and of single ones."""
    return {name: value for names, value in groups for name in names} | values


PRESETS: dict[str, dict[str, float]] = {
    "neutral": {},
    "joy": _join((SMILE, 0.8), (SQUINT, 0.4)),
    "laughter": _join((SMILE, 0.9), (SQUINT, 0.6), (UPPER_UP, 0.4), jawOpen=0.5),
    "sadness": _join((FROWN, 0.6), browInnerUp=0.7, mouthShrugLower=0.3),
    "anger": _join((BROWS_DOWN, 0.8), (PRESS, 0.4), (SQUINT, 0.4), (SNEER, 0.3)),
    "surprise": _join((BROWS_UP, 0.7), (EYES_WIDE, 0.6), browInnerUp=0.7, jawOpen=0.5),
    "fear": _join((EYES_WIDE, 0.7), (STRETCH, 0.5), (BROWS_UP, 0.3), browInnerUp=0.7, jawOpen=0.2),
    "disgust": _join((SNEER, 0.7), (UPPER_UP, 0.5), (BROWS_DOWN, 0.4), (FROWN, 0.3)),
    "contempt": _join((("mouthSmileLeft",), 0.5), (("mouthDimpleLeft",), 0.5)),
    "tired": _join((BLINK, 0.5), (FROWN, 0.2)),
    "kiss": {"mouthPucker": 0.9, "mouthFunnel": 0.2},
}

SYNONYMS = {
    "joy": ("joyful", "happy", "happiness", "smile", "smiling", "glad", "cheerful"),
    "laughter": ("laugh", "laughing", "amused"),
    "sadness": ("sad", "unhappy", "sorrow", "crying", "melancholic"),
    "anger": ("angry", "furious", "mad", "annoyed"),
    "surprise": ("surprised", "astonished", "amazed", "shocked"),
    "fear": ("afraid", "fearful", "scared", "frightened", "anxious"),
    "disgust": ("disgusted",),
    "contempt": ("contemptuous", "smug"),
    "tired": ("sleepy", "exhausted", "bored"),
    "kiss": ("kissing", "pout", "pouting"),
    "neutral": ("calm", "relaxed", "serious"),
}
"""Other words for the presets."""
