"""Nodes that move a photograph, which need no weights."""
