"""J, F and J&F by the DAVIS 2017 definition, on NumPy bool masks, and what their means do not
show: identity swaps and recovery (``behaviour``), J&F over time (``score_over_time``), calibration
(``calibration``)."""

from sam2s.metrics.boundary import boundary_f
from sam2s.metrics.region import jaccard, jaccards
from sam2s.metrics.scores import Score, mean_score, score_frame, score_sequence

__all__ = [
    "Score",
    "boundary_f",
    "jaccard",
    "jaccards",
    "mean_score",
    "score_frame",
    "score_sequence",
]
