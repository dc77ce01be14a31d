"""X3D and SlowFast, their weighted ensemble, checkpoints and the two engines that run them."""
