"""What lies in a study's folder, and the only readers and writers of it."""
