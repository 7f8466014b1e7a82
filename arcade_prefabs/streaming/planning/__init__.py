"""Works out which cells are wanted, how urgently, and which of them memory has room for."""
