"""What inspections measure: plain functions of a network, its blocks and its images."""
