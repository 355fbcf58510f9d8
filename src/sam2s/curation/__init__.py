"""Is an annotated folder fit for training? Checks, counts, and leaks between splits.

Promises: it reads masklet folders and changes nothing in them; every finding names its frames and
says how bad it looks.

Start with ``check``: it walks through videos with ``check_video`` (label noise), compares splits
with ``check_leaks`` and draws findings with ``check_sheet``. ``stats`` counts, beside SA-SV's own
table (``sa_sv_table``).
"""
