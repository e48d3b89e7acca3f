"""Training a small model on people who are drawn and speech that is synthesised."""
