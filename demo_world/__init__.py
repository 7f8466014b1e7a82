"""The streaming demo: an island of 400,000 entities, at 60 frames a second."""
