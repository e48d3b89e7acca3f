"""Nodes of the ACTalker model."""
