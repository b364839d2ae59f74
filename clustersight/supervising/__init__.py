"""Several processes under one parent, as `clustersight up` runs them: one container, one unit."""
