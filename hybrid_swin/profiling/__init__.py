"""How long networks take and how much memory, measured side by side."""
