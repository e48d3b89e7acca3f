"""Noise levels, windows and the one guided loop that every diffusion model is sampled with."""
