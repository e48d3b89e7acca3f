"""ACTalker without a user interface: model, sampler, checkpoints and media.

Importing this package touches neither the network, nor a GPU, nor ComfyUI.
Start reading at `pipeline.py`, which is the whole trip in one function.
"""

__version__ = "0.1.0"
