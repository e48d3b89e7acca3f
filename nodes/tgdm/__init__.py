"""Nodes of TGDM: frames that geometry has moved are finished by a network."""
