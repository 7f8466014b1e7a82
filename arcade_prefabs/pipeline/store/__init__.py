"""The bake store, one SQLite file: its tables, and the functions that write and read them."""
