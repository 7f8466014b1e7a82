"""Bakes: decides which files are baked, in which order, and in which process."""
