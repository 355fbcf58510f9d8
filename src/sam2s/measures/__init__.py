"""What tracked masks say of the work: how long each instrument was in view, how far, how fast and
how smoothly it moved, and which ones worked together.

From a mask outwards: ``landmarks`` (centroid, tip, shaft width), ``course`` (one object over time),
``camera_motion`` (of the background), ``presence``, ``path_segments``, ``point_motion`` and
``smoothness`` (numbers of one object), ``pairs``, ``video_measures`` (all of one result);
``measure_report``, ``measure_plots`` and ``measure_tables`` write them. Places are (x, y) in source
pixels from the centre of the upper left pixel, x to the right, y down; times are seconds by the
source's clock. ``docs/measures.md`` defines every number.
"""
