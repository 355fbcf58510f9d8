"""Who may import whom, and what importing must not drag in."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import sam2s

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "av",
    "cv2",
    "PIL",
    "huggingface_hub",
    "pycocotools",
    "matplotlib",
)

BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} must not be imported here")
sys.meta_path.insert(0, Blocked())
"""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )


def modules_below(*packages: str) -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(sam2s.__path__, "sam2s.")]
    return [
        name for name in found if name.startswith(tuple(f"sam2s.{package}" for package in packages))
    ]


def test_imports_point_down(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(ROOT)
    code = lint_imports(no_cache=True)
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    "code",
    [
        "import sam2s",
        "import sam2s; dir(sam2s)",
        "import sam2s; sam2s.__version__",
        "from sam2s.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from sam2s.cli import main\ntry: main(['track', '--help'])\nexcept SystemExit: pass",
        "from sam2s.cli import main; assert main(['--version']) == 0",
        (
            "from sam2s.cli import main\ntry: main(['track', 'a.mp4'])\nexcept SystemExit as e:"
            " assert e.code == 2"
        ),
    ],
)
def test_help_and_the_package_itself_import_nothing_heavy(code: str):
    done = run_python(f"{code}\nimport sys\nprint([m for m in {HEAVY} if m in sys.modules])")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("packages", "blocked"),
    [
        # A training or benchmark machine needs neither a video library nor a command line, and
        # OpenCV only for what is drawn or warped.
        (
            ("train", "benchmark", "recipes", "model", "memory", "tracking", "metrics", "weights"),
            ("av", "tyro", "cv2"),
        ),
        # An installation without extras tracks, reads and writes.
        (
            ("tracking", "export", "media.frames", "weights", "metrics", "commands.track"),
            ("cv2", "accelerate", "matplotlib", "tensorboard", "transformers", "torchvision"),
        ),
    ],
)
def test_modules_do_without_what_they_do_not_need(
    packages: tuple[str, ...], blocked: tuple[str, ...]
):
    names = modules_below(*packages)
    assert names
    done = run_python(f"BLOCKED = {blocked}{BLOCK}" + "".join(f"\nimport {name}" for name in names))
    assert done.returncode == 0, done.stderr
