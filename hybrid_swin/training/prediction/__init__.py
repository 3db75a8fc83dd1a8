"""What a trained network answers for images: calibrated probabilities, tables, mistakes."""
