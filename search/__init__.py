"""Which candidates to try, what they scored, and how sure we are."""
