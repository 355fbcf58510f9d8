"""Results as files: masks, ``tracks.json``, overlay video."""
