"""What a person sees of a study: terminal, status, figures, W&B."""
