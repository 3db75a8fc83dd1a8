"""Weights from files and to files: read, compared with the network, filled in, reported, written."""
