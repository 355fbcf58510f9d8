"""The one layout on disk for videos with labelled objects: pictures, masks, names, origin.

Promises: a mask is read by one rule, whatever tool wrote it, or refused with the reason; a frame
that is not annotated is never mistaken for one without the object; a folder is whole or marked as
unfinished.

Start with ``masklets`` (reading) and ``masklet_writer`` (writing). ``annotations`` tells the
layouts of SA-V and DAVIS apart, ``masks`` reads and writes single masks and COCO's RLE, ``shown``
decides what a picture of a mask shows. ``catalogue`` is ``masklets.json``, ``provenance`` is
``sources.json``, ``vocabulary`` the class names, ``staging`` how folders are built safely.
"""
