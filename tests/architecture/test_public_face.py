"""What ``import sam2s`` offers is small, complete and stable."""

from __future__ import annotations

from importlib.metadata import version

import pytest

import sam2s

FACE = {
    "Box",
    "Frame",
    "FrameResult",
    "Mask",
    "Points",
    "Tracker",
    "__version__",
    "load_model",
    "open_frames",
    "save_model",
}


def test_the_public_names_are_these():
    assert set(sam2s.__all__) == FACE
    assert set(dir(sam2s)) >= FACE


@pytest.mark.parametrize("name", sorted(FACE))
def test_every_public_name_is_there(name: str):
    assert getattr(sam2s, name) is not None


@pytest.mark.parametrize("name", sorted(FACE - {"__version__"}))
def test_every_public_name_explains_itself(name: str):
    assert getattr(sam2s, name).__doc__


def test_the_version_is_the_installed_one():
    assert sam2s.__version__ == version("sam2s")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        sam2s.nonsense  # noqa: B018
