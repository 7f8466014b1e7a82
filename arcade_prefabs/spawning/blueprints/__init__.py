"""What a prefab means for its entities, worked out once for all of them."""
