"""Types of processors, outputs and bake results, and the codec of pages."""
