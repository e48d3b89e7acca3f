"""The network of lips: the speech that it learns from, its training, its measures."""
