"""Streams worlds of any size around moving players.

Needs Arcade; import names from their modules.
"""
