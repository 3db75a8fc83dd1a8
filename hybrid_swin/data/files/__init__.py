"""Files of images: found, decoded, and kept once for all processes."""
