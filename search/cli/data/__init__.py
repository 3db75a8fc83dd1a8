"""The command `data`: images as a network will be fed them."""
