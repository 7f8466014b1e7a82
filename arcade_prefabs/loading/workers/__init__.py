"""Loader threads, decoders, the bake thread, and the main-thread commit of their results."""
