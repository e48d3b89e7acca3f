"""ACTalker: Stable Video Diffusion with parallel Mamba branches, gates and mask-drop."""
