"""Where weights come from: files, networks in them, their names, and whose rules they follow."""
