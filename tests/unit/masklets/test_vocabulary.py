"""The unified class names."""

from __future__ import annotations

import pytest

from sam2s.errors import InputError
from sam2s.masklets.vocabulary import INSTRUMENTS, TISSUES, is_known, kind_of


def test_every_name_has_one_kind() -> None:
    names = (*INSTRUMENTS, *TISSUES)
    assert len(set(names)) == len(names)
    assert all(kind_of(name) == "instrument" for name in INSTRUMENTS)
    assert all(kind_of(name) == "tissue" for name in TISSUES)


def test_the_papers_names_are_there() -> None:
    assert {
        "grasper",
        "dissect & grasp",
        "US probe",
        "snare",
        "needle holder",
        "vessel sealer",
    } <= set(INSTRUMENTS)
    assert {"polyp", "uterus", "gallbladder", "kidney parenchyma", "covered kidney"} <= set(TISSUES)


def test_unknown_names_are_refused() -> None:
    assert is_known("hook")
    assert not is_known("Hook")
    with pytest.raises(InputError, match=r"'Hook'.*INSTRUMENTS"):
        kind_of("Hook")
