"""From noise to latents: noise levels, guidance passes, windows and the loop over them."""
