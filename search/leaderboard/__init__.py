"""The leaderboard: rows, their order, ties and sentences."""
