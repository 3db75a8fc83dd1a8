"""The command `inspect`: what a network looks at, and what it does with that."""
