"""The texture atlas, and the textures in it."""
