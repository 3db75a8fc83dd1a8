"""What the packages need of the system that they run on: files, processes, the terminal."""
