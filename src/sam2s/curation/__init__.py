"""Quality of annotated folders: checks, statistics, leaks."""
