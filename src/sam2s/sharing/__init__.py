"""One list of work and several workers: ``claims`` over a folder that all of them see,
``ray_actors`` on a cluster. Benchmark and batch share their work out so."""
