"""Which cells are wanted, and how urgently."""
