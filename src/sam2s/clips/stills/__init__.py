"""Single pictures turned into clips."""
