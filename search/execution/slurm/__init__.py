"""Slurm by its commands: jobs and steps that run agents. It needs no package and no accounting."""
