"""The command `retrain`: a candidate trained again over fresh seeds."""
