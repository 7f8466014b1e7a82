"""The Arcade window: frame hooks, events, the thread guard, Arcade's private names."""
