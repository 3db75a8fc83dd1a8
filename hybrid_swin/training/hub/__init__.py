"""A network as a folder that loads anywhere, in the layout of the Hugging Face Hub."""
