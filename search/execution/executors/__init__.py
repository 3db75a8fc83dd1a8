"""Where trainings run, one file each; its stem is the name in ``executor: {name: ...}``."""
