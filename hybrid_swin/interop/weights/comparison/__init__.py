"""What a network computes otherwise than the source of its weights: blocks, sizes, all around."""
