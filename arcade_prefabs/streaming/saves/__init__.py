"""Saved games: what the game changed of a world."""
