"""What a comparison found: arms, differences, conclusions."""
