"""Blueprints: what a prefab means for its entities, computed once for all of them."""
