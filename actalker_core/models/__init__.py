"""A folder for each model family. A family never imports another."""
