"""Prefabs: components, prefab files, validation and inheritance.

`component` registers a dataclass that prefab files may name. `read_prefabs` reads and checks one
file. `Resolver` adds what a prefab inherits from others.
"""

from .asset_ids import asset_path, prefab_id
from .builtin import (
    Anchor,
    Animation,
    AnimationMode,
    Box,
    Circle,
    Collider,
    FromTexture,
    HitBoxAlgorithm,
    Polygon,
    Sound,
    Sprite,
    SpriteSheet,
    Tags,
    Text,
)
from .document import (
    ChildDocument,
    ComponentDocument,
    PrefabDocument,
    PrefabFile,
    Reference,
    Transform,
)
from .field_types import PrefabRef, SoundPath, SpriteClassName, TexturePath, Variant
from .model import Child, Dependency, Prefab
from .reader import read_prefabs
from .registry import (
    ComponentRegistry,
    ComponentType,
    RegistryDescription,
    component,
    default_registry,
)
from .resolve import AbstractPrefab, FileLoader, Resolver

__all__ = [
    "AbstractPrefab",
    "Anchor",
    "Animation",
    "AnimationMode",
    "Box",
    "Child",
    "ChildDocument",
    "Circle",
    "Collider",
    "ComponentDocument",
    "ComponentRegistry",
    "ComponentType",
    "Dependency",
    "FileLoader",
    "FromTexture",
    "HitBoxAlgorithm",
    "Polygon",
    "Prefab",
    "PrefabDocument",
    "PrefabFile",
    "PrefabRef",
    "Reference",
    "RegistryDescription",
    "Resolver",
    "Sound",
    "SoundPath",
    "Sprite",
    "SpriteClassName",
    "SpriteSheet",
    "Tags",
    "Text",
    "TexturePath",
    "Transform",
    "Variant",
    "asset_path",
    "component",
    "default_registry",
    "prefab_id",
    "read_prefabs",
]
