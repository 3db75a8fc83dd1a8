"""Settings for a folder of images: what lies there, rules, presets, and the file to go on from."""
