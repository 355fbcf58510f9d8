"""The network: SAM 2.1's five modules, TSL's semantic token, and the container of their verbs.

Promises: differentiable functions of tensors with N rows (a row is one object on one frame), no
frame index, no memory rule, and nothing on a module that changes after construction.

Start with ``sam2s`` (the verbs, and what calls what) and ``presets`` (`ModelConfig` and the sizes).
Then one file per box of SAM 2's figure: ``hiera`` and ``image_encoder``, ``prompt_encoder``,
``two_way`` and ``mask_decoder``, ``memory_encoder``, ``memory_attention``; ``semantic_head`` is
TSL's.

Does not read or write weights (``sam2s.weights``), and does not decide what is remembered
(``sam2s.memory``) or when (``sam2s.tracking``).
"""
