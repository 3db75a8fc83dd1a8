"""A study or a comparison as typed data, read from files and the command line."""
