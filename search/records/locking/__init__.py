"""What keeps two coordinators out of one study, on this host and on others."""
