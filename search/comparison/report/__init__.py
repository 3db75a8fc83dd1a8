"""What a comparison writes: tables and figures."""
