"""How networks learn: a training loop that resumes to the bit, and an optimiser."""
