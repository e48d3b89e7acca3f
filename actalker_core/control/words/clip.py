"""CLIP's two towers from a local folder: pictures and texts into one space."""

import hashlib
import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import CheckpointError

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)

FINGERPRINT_VALUES = 1000
"""How many of each layer's weights tell one CLIP from another."""


class CLIPEncoder:
    """A CLIP model of transformers. Source: Radford et al., arXiv 2103.00020.

    Args:
        folder: with config.json, model.safetensors and the tokenizer's files; nothing is fetched.

    Raises:
        CheckpointError: the folder holds no such model.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import CLIPModel, CLIPTokenizer

        _check_files(folder)
        try:
            model, report = CLIPModel.from_pretrained(
                folder, local_files_only=True, output_loading_info=True
            )
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # transformers and tokenizers raise every kind, even this one
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"{folder}: is no CLIP model ({reason}).") from error
        if report["missing_keys"]:
            raise CheckpointError(
                f"{folder}: expected the weights of a whole CLIP model, "
                f"{len(report['missing_keys'])} are missing. Fetch them again."
            )
        self._model: Any = model.float().train(False)

    @property
    def image_px(self) -> int:
        """Side of the pictures that it sees."""
        return int(self._model.config.vision_config.image_size)

    @property
    def width(self) -> int:
        """Length of an embedding; 768 and 1024 are usual."""
        return int(self._model.config.projection_dim)

    @cached_property
    def fingerprint(self) -> str:
        """Tells one CLIP from another of the same width, by some of each layer's weights."""
        found = hashlib.sha256()
        for name, weights in sorted(self._model.state_dict().items()):
            some = weights.flatten()[:: max(weights.numel() // FINGERPRINT_VALUES, 1)]
            found.update(name.encode() + some.float().numpy().tobytes())
        return f"{self.width}:{found.hexdigest()[:16]}"

    @torch.inference_mode()
    def image(self, pictures: Tensor) -> Tensor:
        """(n, 3, image_px, image_px) in 0…1 -> (n, width) of length 1."""
        mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
        pooled = self._model.vision_model(pixel_values=(pictures - mean) / std).pooler_output
        return F.normalize(self._model.visual_projection(pooled), dim=1)

    @torch.inference_mode()
    def text(self, texts: Sequence[str]) -> Tensor:
        """N texts -> (n, width) of length 1."""
        words = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=77, return_tensors="pt"
        )
        pooled = self._model.text_model(
            input_ids=words["input_ids"], attention_mask=words["attention_mask"]
        ).pooler_output
        return F.normalize(self._model.text_projection(pooled), dim=1)


def _check_files(folder: Path) -> None:
    """Its own files must say what it is: without them transformers makes up what is missing."""
    try:
        kind = json.loads((folder / "config.json").read_bytes())["model_type"]
    except (OSError, ValueError, LookupError, TypeError):
        kind = ""
    words = [{"tokenizer.json"}, {"vocab.json", "merges.txt"}]
    has_words = any(all(os.path.isfile(folder / name) for name in names) for names in words)
    if kind != "clip" or not has_words:
        raise CheckpointError(
            f"{folder}: expected a folder with a CLIP model (config.json of type clip, "
            "model.safetensors, tokenizer.json or vocab.json with merges.txt). Fetch "
            "openai/clip-vit-large-patch14, for example."
        )
