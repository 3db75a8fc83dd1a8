"""One training: the Lightning module, its recipe at work, its metrics, its state on disk."""
