"""Cells of a world: the grid, where their entities come from, their sprite lists, their jobs."""
