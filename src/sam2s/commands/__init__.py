"""The command line, a module for each command: it takes its options as a typed value and returns an
exit code.

Options are in modules of their own (``*_options``, ``options``), which import nothing heavy, so
that ``--help`` is quick. What a command computes is elsewhere; here it is checked, started and
reported. ``terminal.say`` is the only way to print. ``sam2s.cli`` starts the commands.
"""
