"""From settings to a finished study or comparison, and rehearsals of both."""
