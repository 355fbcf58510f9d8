"""Rows of the paper's tables (arXiv 2511.16618, v1), to stand beside our own: quoted, not measured
here.

J&F in percent on SA-SV's test subsets; 3 clicks unless said otherwise; frames per second on one
A6000, end to end. The paper's masks and identities were corrected by hand, ours are as published,
so rows compare only roughly.
"""

from __future__ import annotations

from dataclasses import dataclass

TITLES = ("EV17", "EV18-I", "RARP50", "Hyst-YT", "CIS-Test", "EV18-T", "SurgAI3.8k", "PolypGen")
PROMPT = "3-click"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One method. ``scores``: by subset, in the order of ``TITLES``; ``mean`` as printed."""

    method: str
    size: int
    scores: tuple[float, ...]
    mean: float
    fps: int


ROWS: tuple[PaperRow, ...] = (
    PaperRow("SAM2", 1024, (75.37, 82.36, 48.46, 73.92, 42.51, 59.02, 64.66, 60.23), 63.32, 26),
    PaperRow(
        "SAM2 + Cutie", 1024, (68.68, 79.35, 66.22, 82.17, 80.44, 67.12, 63.43, 54.12), 70.19, 53
    ),
    PaperRow("SAM2Long", 1024, (72.31, 74.42, 42.66, 70.05, 36.39, 55.66, 66.09, 64.16), 60.22, 11),
    PaperRow("DAM4SAM", 1024, (72.42, 70.71, 39.69, 68.28, 36.91, 70.98, 65.01, 61.52), 60.69, 24),
    PaperRow("SAMURAI", 1024, (68.54, 67.73, 40.00, 64.09, 31.40, 63.88, 64.62, 60.75), 57.63, 12),
    PaperRow(
        "SurgicalSAM2", 1024, (72.94, 77.26, 47.95, 71.58, 42.83, 59.17, 63.82, 60.67), 62.03, 27
    ),
    PaperRow("MedSAM2", 512, (61.43, 60.08, 29.24, 62.58, 31.71, 7.76, 28.37, 60.03), 42.65, 80),
    PaperRow(
        "SAM2, fine-tuned", 512, (81.96, 79.89, 76.51, 83.89, 80.09, 66.71, 75.29, 66.15), 76.31, 69
    ),
    PaperRow(
        "SAM2 + Cutie, fine-tuned",
        512,
        (73.78, 75.29, 74.61, 78.65, 86.98, 58.98, 78.59, 63.03),
        73.74,
        53,
    ),
    PaperRow(
        "SAM2Long, fine-tuned",
        512,
        (77.74, 78.91, 65.50, 78.60, 63.79, 57.44, 76.07, 66.26),
        70.54,
        22,
    ),
    PaperRow(
        "DAM4SAM, fine-tuned",
        512,
        (76.26, 78.09, 61.09, 73.94, 62.95, 72.03, 74.68, 65.19),
        70.53,
        63,
    ),
    PaperRow(
        "SAMURAI, fine-tuned",
        512,
        (70.46, 74.75, 60.41, 74.46, 59.53, 66.47, 75.44, 63.73),
        68.16,
        22,
    ),
    PaperRow(
        "SurgicalSAM2, fine-tuned",
        512,
        (81.88, 80.80, 76.25, 81.54, 79.90, 67.04, 74.86, 66.29),
        76.07,
        71,
    ),
    PaperRow("SAM2S", 512, (86.72, 82.37, 79.47, 87.46, 89.65, 72.29, 79.09, 66.30), 80.42, 68),
)
BY_PROMPT: dict[str, dict[str, float]] = {
    "SAM2": {"1-click": 53.76, "3-click": 63.32, "5-click": 66.21, "box": 65.46, "mask": 66.99},
    "SAM2, fine-tuned": {
        "1-click": 72.69,
        "3-click": 76.31,
        "5-click": 76.75,
        "box": 76.06,
        "mask": 77.07,
    },
    "SAM2S": {"1-click": 78.07, "3-click": 80.42, "5-click": 80.94, "box": 81.13, "mask": 81.52},
}
"""Mean over all eight subsets by prompt."""
