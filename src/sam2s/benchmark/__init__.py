"""The benchmark: prompt every object of annotated videos once, track to the end, score.

Start at ``run_benchmark.run_benchmark``, then ``protocol`` (what is prompted, which frames count)
and ``scoreboard`` (every mean). ``evaluate`` scores masks on disk, made by any tool, by the same
rules. Measures themselves are in ``sam2s.metrics``; data are opened by ``sam2s.masklets``.
"""
