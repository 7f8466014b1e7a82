"""The streaming demo: hundreds of thousands of things, 60 frames a second."""
