"""Spawning, despawning and hot reload of entities."""
