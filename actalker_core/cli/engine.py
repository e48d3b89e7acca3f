"""Which engine makes a video where nobody names one."""

import logging

from ..files.model_folders import list_model_folders
from ..models.actalker.checkpoint import find_checkpoint

log = logging.getLogger("actalker_core")

CLIP, NUMBERS = DRIVERS = ("clip", "numbers")
"""What ACTalker's expression and head follow: a driving clip, or the portrait moved by numbers."""
PHOTOGRAPH = "photograph"
"""Its name wherever a model is chosen."""


def choose_engine() -> str:
    """A converted checkpoint if one is there, else `PHOTOGRAPH`; says which and why."""
    path = find_checkpoint(list_model_folders())
    if path is not None:
        log.info("Model: %s, the converted checkpoint that is there.", path)
        return str(path)
    log.info(
        "Model: %s, which needs no weights, as no folder of models has a converted checkpoint "
        "(%s). It takes the options of `animate`.",
        PHOTOGRAPH,
        ", ".join(map(str, list_model_folders())),
    )
    return PHOTOGRAPH
