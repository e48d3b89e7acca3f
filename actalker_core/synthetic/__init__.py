"""People who are drawn, and speech that is synthesised: for Demo Media, and for training."""
