"""The Ray side of ``executor: {name: ray}``: a driver beside the coordinator, and its actors."""
