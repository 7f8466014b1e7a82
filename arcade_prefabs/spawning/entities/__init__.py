"""Entities that are alive: index, lifecycle hooks, transforms, animation."""
