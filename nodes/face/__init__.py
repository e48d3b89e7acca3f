"""Nodes of the face, whatever the model: portraits, regions and curves."""
