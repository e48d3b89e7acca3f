"""Prints arguments of pip with which the newest libraries do not refuse an old torch."""

import sys

import torch

NEWEST_FOR_OLD_TORCH = ("diffusers<0.37", "transformers<5")

if __name__ == "__main__":
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        sys.stdout.write(" ".join(NEWEST_FOR_OLD_TORCH))
