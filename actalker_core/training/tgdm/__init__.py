"""Training of the second family on drawn people."""
