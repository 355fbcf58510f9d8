"""What is remembered of an object: banks, and the rules that fill and read them.

Promises: pure functions over immutable values, memory that does not grow with the video, and no
import of the network. Nothing else in the project knows time.

Start with ``bank`` (the value) and ``policy`` (what a rule is), then ``recent`` (SAM 2) and
``diverse`` (DiveMem). The published alternatives are ``pruned`` (Surgical SAM 2), ``distractor``
(DAM4SAM), ``samurai`` (SAMURAI, with ``motion``) and ``hypothesis_tree`` (SAM2Long); ``rehearsal``
is DiveMem's memory on training clips. ``all_rules`` knows them by name.

Does not make memories (``model.memorize`` does, called by ``tracking.core``), and does not stack
them into tensors (``tracking.recall``).
"""
