"""From which weights trainings start, and how much of each network starts fresh."""
