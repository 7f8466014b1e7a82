"""Instances: entities that are drawn, and take no Python object until the game touches one."""
