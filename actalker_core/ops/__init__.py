"""Layers and fused operations that any model is built of."""
