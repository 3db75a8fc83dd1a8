"""Inspections, one file each. A file's name is the inspection's name."""
