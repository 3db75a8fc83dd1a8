"""What is known of the reach task beforehand: its layout, best accuracy, ceilings and shortcuts."""
