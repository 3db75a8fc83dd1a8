"""Weights from files and to files: read, compared with the network, taken, reported, written."""
