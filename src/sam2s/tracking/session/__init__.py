"""Sessions: what an annotator did with a video, and the masks that follow from it.

A session is a log of actions (``actions``, ``history`` with undo and redo) from which notes are
derived (``notes``: prompts, locks, absences), and a store of masks by version (``mask_store``). A
plan (``plan``) says which frames have to be tracked, ``propagate`` tracks them. The command line
and the annotation page are both made of these; nothing here knows of either, of files, or of the
web.

Start reading at ``history``.
"""
