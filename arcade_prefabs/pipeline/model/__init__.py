"""Types of baked data, and the codec of its pages."""
