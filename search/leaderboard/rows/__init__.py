"""Rows of the leaderboard, with what stands behind each of them."""
