"""Keyword arguments on a command line."""

from __future__ import annotations

import argparse
import ast
from typing import Any


def keyword(text: str) -> tuple[str, Any]:
    """``key=value`` as a keyword argument; values are Python literals, else text."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r}: expected key=value")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value
