"""The W&B mirror: written from a study's folder, by a process of its own."""
