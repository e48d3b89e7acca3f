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


def _both(*groups: tuple[tuple[str, ...], float], **single: float) -> dict[str, float]:
    return {name: value for names, value in groups for name in names} | single


PRESETS: dict[str, dict[str, float]] = {
    "neutral": {},
    "joy": _both((SMILE, 0.8), (SQUINT, 0.4)),
    "laughter": _both((SMILE, 0.9), (SQUINT, 0.6), (UPPER_UP, 0.4), jawOpen=0.5),
    "sadness": _both((FROWN, 0.6), browInnerUp=0.7, mouthShrugLower=0.3),
    "anger": _both((BROWS_DOWN, 0.8), (PRESS, 0.4), (SQUINT, 0.4), (SNEER, 0.3)),
    "surprise": _both((BROWS_UP, 0.7), (EYES_WIDE, 0.6), browInnerUp=0.7, jawOpen=0.5),
    "fear": _both((EYES_WIDE, 0.7), (STRETCH, 0.5), (BROWS_UP, 0.3), browInnerUp=0.7, jawOpen=0.2),
    "disgust": _both((SNEER, 0.7), (UPPER_UP, 0.5), (BROWS_DOWN, 0.4), (FROWN, 0.3)),
    "contempt": _both((("mouthSmileLeft",), 0.5), (("mouthDimpleLeft",), 0.5)),
    "tired": _both((BLINK, 0.5), (FROWN, 0.2)),
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
