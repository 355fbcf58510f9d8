"""What a run leaves on disk: masks, ``tracks.json`` and an overlay video.

Promises: results are written as they come and survive a kill, a full disk or a damaged video;
nothing of another run is overwritten.

Start with ``writer``. ``mask_files`` writes masks in SA-V's or DAVIS' layout, ``tracks`` writes and
reads ``tracks.json``, ``overlay`` draws every picture of masks in the project, ``video_file``
encodes. ``results`` opens what a run wrote for ``formats``, which knows the files of other tools.
"""
