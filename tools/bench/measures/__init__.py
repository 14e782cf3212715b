"""The measurements of the front's benchmark: each takes a stage and gives tables."""
