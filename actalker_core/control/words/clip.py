"""CLIP's two towers from a local folder: images and texts into one space."""

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
"""Of red, green and blue in the images that CLIP was trained on."""
MAX_TOKENS = 77
FINGERPRINT_VALUES = 1000
"""How many weights of each layer tell one CLIP from another."""


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
            raise CheckpointError(
                f"{folder}: is no CLIP model ({reason}). Choose another folder."
            ) from error
        if report["missing_keys"]:
            raise CheckpointError(
                f"{folder}: expected the weights of a whole CLIP model, "
                f"{len(report['missing_keys'])} are missing. Fetch them again."
            )
        self._model: Any = model.float().train(False)

    @property
    def image_px(self) -> int:
        """Side of the square images that it encodes, in pixels."""
        return int(self._model.config.vision_config.image_size)

    @property
    def width(self) -> int:
        """Length of an embedding; 768 and 1024 are usual."""
        return int(self._model.config.projection_dim)

    @cached_property
    def fingerprint(self) -> str:
        """Tells one CLIP from another of the same width, by a sample of each layer's weights."""
        digest = hashlib.sha256()
        for name, weights in sorted(self._model.state_dict().items()):
            sample = weights.flatten()[:: max(weights.numel() // FINGERPRINT_VALUES, 1)]
            digest.update(name.encode() + sample.float().numpy().tobytes())
        return f"{self.width}:{digest.hexdigest()[:16]}"

    @torch.inference_mode()
    def encode_images(self, images: Tensor) -> Tensor:
        """Images (b, 3, image_px, image_px) in 0…1 -> embeddings (b, e) of length 1."""
        mean, std = (torch.tensor(v)[:, None, None] for v in (MEAN, STD))
        features = self._model.vision_model(pixel_values=(images - mean) / std).pooler_output
        return F.normalize(self._model.visual_projection(features), dim=1)

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> Tensor:
        """Embeddings (b, e) of length 1 of b texts."""
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        features = self._model.text_model(
            input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
        ).pooler_output
        return F.normalize(self._model.text_projection(features), dim=1)


def _check_files(folder: Path) -> None:
    """Refuse a folder without its configuration or tokenizer, which transformers would make up."""
    try:
        kind = json.loads((folder / "config.json").read_bytes())["model_type"]
    except (OSError, ValueError, LookupError, TypeError):
        kind = ""
    tokenizers = [{"tokenizer.json"}, {"vocab.json", "merges.txt"}]
    has_tokenizer = any(
        all(os.path.isfile(folder / name) for name in names) for names in tokenizers
    )
    if kind != "clip" or not has_tokenizer:
        raise CheckpointError(
            f"{folder}: expected a folder with a CLIP model (config.json of type clip, "
            "model.safetensors, tokenizer.json or vocab.json with merges.txt). Fetch "
            "openai/clip-vit-large-patch14, for example."
        )
