"""Results in the formats of other tools: one file per family, one line in ``registry`` per format.

A writer takes a ``Result`` frame by frame, so that hours of video do not have to fit in memory
where the format allows it, and writes into a folder of its own. A reader gives a ``Result`` back;
what is lossless is read back and compared before it gets its name (``sam2s.commands.export``).
"""
