"""What all nodes share: socket types, conversion, files, progress."""
