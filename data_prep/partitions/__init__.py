"""Which client an example goes to, and which split."""
