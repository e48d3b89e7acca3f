"""Times, memory and likeness, as ratios measured in one process."""
