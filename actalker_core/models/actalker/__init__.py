"""ACTalker: Stable Video Diffusion with parallel-control Mamba layers, gates and mask-drop."""
