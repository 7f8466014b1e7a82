"""Bakes: what has to be baked, in which order, and in which process."""
