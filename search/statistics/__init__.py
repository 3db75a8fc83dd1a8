"""Intervals, families of questions and sets of the best: how sure we are of a number."""
