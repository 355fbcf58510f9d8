"""Weights of the network: found, read safely and strictly, renamed from other codes' names, saved.

Promises: no file can run code here, and every tensor of the network gets its value from the file,
or the error names those that do not.

Start with ``load.load_model``. ``hub`` finds files, ``pt_file`` reads Meta's checkpoints,
``hf_config`` transformers' configurations; ``keymap`` renames tensors by ``name_table``,
``weights_map`` by a user's table. ``save`` and ``average`` write models, ``text_bank`` the class
names of TSL.
"""
