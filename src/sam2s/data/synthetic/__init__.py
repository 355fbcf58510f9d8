"""Synthetic surgical scenes with exact masks: the project's test bed and training ground.

Needs OpenCV (``pip install 'sam2s[synth]'``); without it the first use raises one clear InputError.
"""

from sam2s.data.synthetic.procedures import HELD_OUT, PROCEDURES, TRAINING
from sam2s.data.synthetic.scene import Scene
from sam2s.data.synthetic.spec import SceneSpec, random_spec
from sam2s.data.synthetic.write import synthesize, write_videos

__all__ = ["HELD_OUT", "PROCEDURES", "TRAINING", "Scene", "SceneSpec", "random_spec", "synthesize", "write_videos"]
