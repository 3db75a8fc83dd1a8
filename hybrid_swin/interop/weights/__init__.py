"""What checkpoints hold and where it goes: files, layouts, plans, reports."""
