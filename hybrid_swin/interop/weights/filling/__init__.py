"""Which weight goes where, and what is refused before any is written."""
