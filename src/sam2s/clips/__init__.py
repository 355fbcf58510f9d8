"""What a training step is made of: clips of labelled video, drawn, read, changed and batched.

Promises: a clip is a pure function of a video's index, a configuration and the state of a random
generator, so every clip of a run has a name and can be made again. Nothing here knows the network
or a loss.

Start with ``clips`` (what a clip is, and SAM 2's sampler) and ``batch`` (from a clip to tensors).
``diverse_clips`` is DiveMem's sampler, ``sparse`` shows samplers the labelled frames of sparsely
labelled videos. ``augment`` changes geometry and colour, ``repaint`` the colours of an object,
``doubles`` adds a look-alike; ``stills`` makes clips of single pictures.

Does not choose which video comes next (``train.examples``) and does not simulate the user
(``tracking.annotator``).
"""
