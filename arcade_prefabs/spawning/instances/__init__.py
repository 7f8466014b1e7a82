"""Instances: entities that are drawn, and have no Python object until the game asks for one."""
