"""A model as ONNX files, for programs without torch: the image encoder, and what happens to the
rows of a frame (recall, decode, memorize) with a fixed number of memory slots and a key mask.

Start reading at ``graphs``. The memory rule is not in the files: whoever runs them keeps the maps
and pointers that each step gives, as ``runtime`` does in 80 lines.
"""
