"""Frames out of whatever holds them: video files, folders of pictures, arrays, streams, cameras.

Promises: frames come lazily, with the source's own timestamps; a damaged or shortened source is
noticed and gives every good frame first; no file may open another one or wait for ever.

Start with ``frames.open_frames`` and its protocol ``FrameSource``. ``address`` tells files, URLs,
devices and pipes apart, ``opening`` opens them, ``video`` and ``decoding`` read videos, ``packets``
and ``structure`` notice damage that FFmpeg passes over, ``sequences`` reads pictures and arrays,
``latest`` keeps the newest frame of a live source, ``random_access`` any frame in any order.

Does not write videos (``export.video_file`` does).
"""
