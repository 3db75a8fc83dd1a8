"""The pictures of inspections, and their colours."""
