"""The entities of cells that are in memory."""
