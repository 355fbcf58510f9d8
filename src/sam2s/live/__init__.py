"""Tracking behind a camera: frames are dropped, never queued; prompts come in and pictures go out
while it runs.

``feed`` is the source (camera, stream, raw pipe, file at its own pace) that may go away and come
back; ``inbox`` what users ask for meanwhile; ``live_loop`` tracks; each ``sink`` gets the newest
picture in a thread of its own: ``live_recorder``, ``stream_output``, ``window``, ``json_lines``,
and the ``page_server`` with its ``door``. ``out_of_body`` blanks what is no operation, ``latency``
counts.
"""

from contextlib import suppress

from sam2s.errors import InputError
from sam2s.opencv import import_opencv

with suppress(InputError):
    # Before PyAV: both wheels bring X11's libraries, and OpenCV's window hangs over PyAV's copies.
    import_opencv()
