"""The residents of live cells: how they are built, unloaded, added, and move between cells."""
