"""A variant with choices, as flat parameters and back, within a budget."""
