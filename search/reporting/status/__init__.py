"""What a study does now, told from its folder alone: nothing is locked, nothing is written."""
