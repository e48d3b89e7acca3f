"""Words -> expression: a bank of reference expressions, and two ways to find words in it."""
