"""Cells of a world: grid, content, sprite lists."""
