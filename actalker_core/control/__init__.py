"""What an artist steers with: signals, edits, curves, regions and words over time."""
