"""The command `cost`: what blocks and networks cost, counted or measured."""
