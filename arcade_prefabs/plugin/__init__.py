"""The plugin of an Arcade window."""

from .attaching import attach
from .prefab_plugin import PrefabPlugin

__all__ = ["PrefabPlugin", "attach"]
