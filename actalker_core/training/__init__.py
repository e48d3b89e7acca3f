"""Trains a small model on drawn faces and synthetic speech, and measures it."""
