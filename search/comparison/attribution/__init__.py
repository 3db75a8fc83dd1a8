"""Which block helps in which stage: effects with uncertainty from factorial or random trials."""
