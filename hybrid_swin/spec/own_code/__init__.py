"""Code of the user's own: found, hashed and kept, and run only if the user asked for it."""
