"""Readers of public data sets, linking of masks over frames, and the writer of the masklet
layout."""
