"""The family under ComfyUI: all that its nodes know of memory management and sampling."""
