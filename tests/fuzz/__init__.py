"""Damaged files and texts."""
