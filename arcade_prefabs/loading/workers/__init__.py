"""Background work of the loader, and the commit of its results on the main thread."""
