"""What inspections share: the subject, what can be read from a block, and how they are run."""
