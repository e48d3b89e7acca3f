"""The networks that denoise: UNet, parallel-control Mamba, pose guider and projections."""
