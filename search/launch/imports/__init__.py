"""Known good candidates from a file or another study, with which a study begins."""
