"""Controlled comparisons: arms with their controls, at matched cost, over paired seeds."""
