"""Keeps what the game changed of a world: entity diffs, the change journal, save files."""
