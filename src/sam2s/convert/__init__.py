"""Public data sets, as they are downloaded, become masklet folders.

Promises: nothing is invented (a class that a set did not annotate stays unannotated), identities
that were linked are marked as such, and an interrupted conversion continues where it stopped.

Start with ``convert``. ``sources`` holds one reader for each data set, ``listing`` the videos of
one, ``one_video`` converts a video, ``pool`` several at a time, ``link`` gives regions identities
over time, ``converted_folder`` is the folder being written. ``from_format`` reads the formats of
other tools (``formats``) instead.

Does not download anything, and does not judge labels (``curation`` does).
"""
