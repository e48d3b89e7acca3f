"""Files of tensors: written whole or not at all, read within bounds, named alike everywhere."""
