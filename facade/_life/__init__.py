"""A run's life without I/O: what it is started and answered with, when it is asked for again, what its stream tells."""
