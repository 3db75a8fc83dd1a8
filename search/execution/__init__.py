"""Where trainings happen: workers, what is sent to them, what comes back."""
