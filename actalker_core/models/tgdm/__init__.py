"""TGDM: a diffusion model that makes a finished face of a photograph that geometry has moved.

Source: Xu et al., arXiv 2305.02594.
"""
