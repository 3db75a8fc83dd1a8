"""What a comparison trains: arms at matched cost, and the plan that is kept of them."""
