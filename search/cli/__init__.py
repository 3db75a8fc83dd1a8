"""The commands of the door, each with its parser; what is heavy is imported inside."""
