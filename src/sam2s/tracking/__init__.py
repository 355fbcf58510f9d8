"""From frames and prompts to masks.

Promises: a tracking state is a value, so that keeping an earlier one is undo; a preview changes
nothing; a file, a folder and a live stream give the same masks, bit for bit.

Start with ``tracker`` (what users hold) and ``core`` (what happens on a frame: observe, commit).
``row_prompts`` turns what users say into tensors, ``rows`` is what the core is asked and answers,
``recall`` stacks what banks remember, ``frame_result`` makes the answer, ``hypotheses`` runs the
rule ``tree``. ``annotator`` is the simulated user of training and benchmark, ``session`` an
annotator's log of actions over a whole video.

Does not open files (``sam2s.media``), and does not know loss (``sam2s.train``).
"""
