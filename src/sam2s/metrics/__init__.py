"""J, F and J&F by the DAVIS 2017 definition, on NumPy bool masks, and what their means cannot tell:
identity swaps and recovery (``behaviour``), the course over time (``course``), calibration
(``calibration``)."""

from sam2s.metrics.boundary import boundary_f
from sam2s.metrics.protocol import Score, mean_score, score_frame, score_sequence
from sam2s.metrics.region import jaccard, jaccards

__all__ = [
    "Score",
    "boundary_f",
    "jaccard",
    "jaccards",
    "mean_score",
    "score_frame",
    "score_sequence",
]
