"""What a network and its training are, as data: read, checked and named without torch."""
