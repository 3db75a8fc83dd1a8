"""The loop of a study: candidates asked for, stopped, chosen and retrained."""
