"""Spawns, builds, despawns and hot-reloads entities."""
