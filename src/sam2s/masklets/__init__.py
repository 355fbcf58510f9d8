"""The masklet layout on disk: masks, catalogues, vocabulary, reading and writing."""
