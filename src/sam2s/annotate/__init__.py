"""The annotation page: a project folder, a local server, and a page of plain ES modules.

``project`` is the folder with its database (``project_schema``, ``database``); ``session_log``
keeps a video's ``History`` in it and ``stored_masks`` its masks, so that every action is on the
disk before it is acknowledged. ``frame_reader`` decodes in a child process, ``previews`` answers
clicks, ``tracking_queue`` tracks. ``server`` puts HTTP before all of this; ``page`` is what the
browser gets.

Start reading at ``workspace``.
"""
