"""Everything that touches Arcade's window and private names: frame hooks, events, thread guard."""
