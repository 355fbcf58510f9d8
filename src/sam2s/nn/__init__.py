"""Generic layers: attention, rotary and sine position codes, perceptrons, windows.

Promises: plain PyTorch modules and functions that know nothing of masks, prompts or videos, and
whose results do not depend on what they are part of.

Start with ``attention`` (multi-head attention over ``attend``) and ``blocks``; position codes are
in ``position`` (sines, Fourier features) and ``rope`` (rotary).

Does not hold anything of SAM (``sam2s.model``).
"""
