"""The bake store: one SQLite file, what is read from it and what is written to it."""
