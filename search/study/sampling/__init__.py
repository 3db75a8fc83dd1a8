"""The Optuna side of a study: its storage, its samplers and what they are shown."""
