"""The presets of `control.words.presets` as numbers that move a portrait.

Those of the presets say what a landmarker reads of a face that feels so; these say how far to move
one, so that a person sees it.

Source: the action units that Ekman and Friesen (Facial Action Coding System, 1978) name for each
emotion, written as the blendshapes that move the same muscles.
"""

SIDES = ("Left", "Right")


def join_sides(**values: float) -> dict[str, float]:
    """Numbers by name; one whose name ends with `_both` moves the left and the right alike."""
    return {
        name: value
        for key, value in values.items()
        for name in (
            [key.removesuffix("_both") + side for side in SIDES] if key.endswith("_both") else [key]
        )
    }


EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "joy": join_sides(
        mouthSmile_both=1.0,
        mouthDimple_both=0.3,
        mouthUpperUp_both=0.15,
        cheekSquint_both=0.8,
        eyeSquint_both=0.4,
        browOuterUp_both=0.15,
    ),
    "laughter": join_sides(
        mouthSmile_both=1.0,
        mouthUpperUp_both=0.4,
        mouthLowerDown_both=0.2,
        jawOpen=0.45,
        cheekSquint_both=1.0,
        eyeSquint_both=0.7,
        browOuterUp_both=0.1,
    ),
    "sadness": join_sides(
        mouthFrown_both=0.85,
        mouthShrugLower=0.3,
        browInnerUp=1.0,
        browDown_both=0.15,
        eyeBlink_both=0.2,
    ),
    "anger": join_sides(
        browDown_both=1.0,
        eyeSquint_both=0.4,
        noseSneer_both=0.7,
        mouthPress_both=0.7,
        mouthFrown_both=0.5,
        jawForward=0.3,
    ),
    "surprise": join_sides(
        browInnerUp=0.9, browOuterUp_both=0.9, eyeWide_both=0.7, jawOpen=0.6, mouthFunnel=0.2
    ),
    "fear": join_sides(
        browInnerUp=1.0,
        browOuterUp_both=0.3,
        browDown_both=0.3,
        eyeWide_both=0.8,
        mouthStretch_both=0.9,
        mouthLowerDown_both=0.4,
        mouthFrown_both=0.3,
        jawOpen=0.2,
    ),
    "disgust": join_sides(
        noseSneer_both=1.0,
        mouthUpperUp_both=0.6,
        mouthFrown_both=0.7,
        mouthShrugLower=0.3,
        browDown_both=0.8,
        eyeSquint_both=0.7,
        cheekSquint_both=0.6,
    ),
    "contempt": {
        "mouthSmileLeft": 0.9,
        "mouthDimpleLeft": 1.0,
        "mouthPressLeft": 0.4,
        "mouthLeft": 0.3,
        "cheekSquintLeft": 0.6,
        "eyeSquintLeft": 0.4,
        "eyeSquintRight": 0.2,
        "browOuterUpRight": 0.4,
        "browDownLeft": 0.3,
    },
    "tired": join_sides(eyeBlink_both=0.45, mouthFrown_both=0.3, browInnerUp=0.2),
    "kiss": join_sides(mouthPucker=1.0, mouthPress_both=0.2, eyeBlink_both=0.2),
}
"""Name of a preset -> numbers of motion by their names in `columns.COLUMNS`, at full strength."""
