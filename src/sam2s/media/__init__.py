"""Frames in and out of files: videos, folders of pictures, streams."""
