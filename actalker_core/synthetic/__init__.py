"""Drawn faces and synthetic speech: for Demo Media, and for training."""
