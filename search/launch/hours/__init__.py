"""`--hours`: how long trainings take here, what fits into the time, and when to stop."""
