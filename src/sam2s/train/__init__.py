"""Training: from a configuration and annotated folders to a saved model.

Start at ``run.run_training``, then ``unroll`` (what a step does) and ``config`` (what can be set).
Nothing here knows of recipes or of the command line.
"""
