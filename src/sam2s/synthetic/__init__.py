"""Synthetic surgical scenes with exact masks: for tests, training and the benchmark.

From the seed outwards: ``spec`` orders a scene; ``scenery`` (``cavity``, ``colon``, ``larynx``)
paints and lights a canvas larger than the view; ``camera`` plans where the scope looks; ``tissue``
warps the canvas as tissue breathes, is dragged and bleeds; ``tool_parts``, ``designs``, ``sprites``
and ``tools`` make and move instruments; ``lens`` and ``effects`` are the camera and what floats in
front of it; ``scene`` puts a frame together; ``write`` makes masklet folders.

The constants and ranges are set by hand, to look like surgery; they are not fitted to real video.
Changing one, or the order in which random numbers are drawn, changes every scene of every seed.

What a mask is: the pixels that an object covers by more than half and that nothing opaque hides.
Other tools, tissue in front, opaque blood, the rim of the round view and a withdrawn scope cut
masks; smoke, fog, drops, shadows, blur and noise do not. Masks of one frame never overlap.

Needs OpenCV (``pip install 'sam2s[synth]'``); without it the first use raises one clear InputError.
The same spec gives the same bytes on the same machine and OpenCV build; others may differ in the
last bit.
"""

from sam2s.synthetic.procedures import HELD_OUT, PROCEDURES, TRAINING
from sam2s.synthetic.scene import SurgicalScene
from sam2s.synthetic.spec import SceneSpec, long_term_spec, random_spec
from sam2s.synthetic.write import VideoSetSpec, synthesize, write_videos

__all__ = [
    "HELD_OUT",
    "PROCEDURES",
    "TRAINING",
    "SurgicalScene",
    "SceneSpec",
    "VideoSetSpec",
    "long_term_spec",
    "random_spec",
    "synthesize",
    "write_videos",
]
