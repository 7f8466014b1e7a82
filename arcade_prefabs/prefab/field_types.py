"""Compiles the types of component fields to converters.

Fields may have the ordinary types (numbers, text, lists, tuples, dicts, enums, literals,
dataclasses), be one of several `Variant` classes, or be text that names a file, a prefab or a
sprite class.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Final, TypeAlias, get_type_hints

import msgspec
import msgspec.inspect as inspect

from . import container_types as containers
from . import converters
from .container_types import Record
from .converters import Converter

__all__ = [
    "ASSET_KIND",
    "WANTED",
    "PrefabRef",
    "SoundPath",
    "SpriteClassName",
    "TexturePath",
    "UnsupportedType",
    "Variant",
    "compile_type",
    "shape_of",
]

ASSET_KIND: Final = "arcade_prefabs.kind"
"""Key in ``msgspec.Meta(extra=...)`` for what a string names: ``texture``, ``sound``, ``prefab`` or
``sprite_class``. Any other value marks a path to files of a kind that only the game knows."""

WANTED: Final = "arcade_prefabs.wanted"
"""Key in ``msgspec.Meta(extra=...)`` for the type's name in messages."""

TexturePath: TypeAlias = Annotated[str, msgspec.Meta(extra={ASSET_KIND: "texture"})]
"""Type of a field that names an image: a path below the assets folder or a resource handle."""

SoundPath: TypeAlias = Annotated[str, msgspec.Meta(extra={ASSET_KIND: "sound"})]
"""Type of a field that names a sound: a path below the assets folder or a resource handle."""

PrefabRef: TypeAlias = Annotated[str, msgspec.Meta(extra={ASSET_KIND: "prefab"})]
"""Type of a field that names another prefab, for example one that the game spawns later."""

SpriteClassName: TypeAlias = Annotated[str, msgspec.Meta(extra={ASSET_KIND: "sprite_class"})]
"""Type of a field that names a registered sprite class."""


class Variant(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    """Base class of the alternatives of one field, such as ``Box | Circle``.

    In RON a variant is written with its name: ``shape: Box(32, 32)``. A subclass declares its
    fields as a dataclass does.

    Example:
        >>> class Fire(Variant):
        ...     damage: int
        >>> class Frost(Variant):
        ...     seconds: float = 2.0

        A component with a field ``effect: Fire | Frost`` reads ``effect: Fire(damage: 3)``,
        ``effect: Frost(2.5)`` and ``effect: Frost``.
    """


class UnsupportedType(TypeError):
    """The type of a field has no form in a file."""


def compile_type(cls: type) -> Record:
    """Returns the converter of a component class.

    Raises:
        UnsupportedType: The type of a field has no form in a file; the message names the field.
        NameError, AttributeError: The type of a field names a class that does not exist (yet).
    """
    try:
        msgspec.json.Decoder(cls)  # raises for types that msgspec can describe but not read
        described = inspect.type_info(cls)
    except (TypeError, SyntaxError) as error:
        raise UnsupportedType(str(error)) from error
    compiler = _Compiler()
    converter = compiler.converter(described, cls.__name__)
    assert isinstance(converter, Record)
    converter.has_any = compiler.has_any
    return converter


def shape_of(cls: type) -> type:
    """Returns the class that msgspec fills from file data.

    This is ``cls`` itself or, if it has fields with ``field(init=False)``, a Struct of its other
    fields: msgspec would fill those fields, too, and raise if one has no default.
    """
    if not _own_fields(cls):
        return cls
    hints = get_type_hints(cls, include_extras=True)
    fields: list[tuple[str, type] | tuple[str, type, None]] = []
    for field in dataclasses.fields(cls):
        if field.init and field.default is field.default_factory is dataclasses.MISSING:
            fields.append((field.name, hints[field.name]))
        elif field.init:
            # Only marks the field as optional: `ComponentType.build` leaves the default to `cls`.
            fields.append((field.name, hints[field.name], None))
    return msgspec.defstruct(cls.__name__, fields, module=cls.__module__)


def _own_fields(cls: type) -> list[str]:
    """Returns the fields that only the game sets, those with ``field(init=False)``."""
    if not dataclasses.is_dataclass(cls):
        return []
    return [field.name for field in dataclasses.fields(cls) if not field.init]


_SCALARS: Final[dict[type, type]] = {
    inspect.BoolType: bool,
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.StrType: str,
    inspect.BytesType: bytes,
}


class _Compiler:
    def __init__(self) -> None:
        self._records: dict[type, Record] = {}
        self.has_any = False

    def converter(self, described: inspect.Type, where: str) -> Converter:
        match described:
            case inspect.Metadata():
                kind = (described.extra or {}).get(ASSET_KIND)
                if kind is not None and not isinstance(described.type, inspect.StrType):
                    raise UnsupportedType(
                        f"{where}: only text can name a {kind}: mark the str itself"
                    )
                if kind is not None:
                    return converters.Named(str(kind))
                converter = self.converter(described.type, where)
                converter.wanted = (described.extra or {}).get(WANTED, converter.wanted)
                return converter
            case inspect.NoneType():
                return converters.Nothing()
            case inspect.AnyType():
                self.has_any = True
                return containers.Anything()
            case inspect.EnumType():
                by_name = {member.name: member.value for member in described.cls}
                by_value = {member.value: member.value for member in described.cls}
                return converters.Choice({**by_value, **by_name}, list(by_name))
            case inspect.LiteralType():
                choices = [choice for choice in described.values if choice is not None]
                choice = converters.Choice(
                    {key: key for key in choices}, [str(key) for key in choices]
                )
                optional = len(choices) < len(described.values)
                return containers.Optional([choice, converters.Nothing()]) if optional else choice
            case inspect.DictType():
                return containers.Dict(
                    self._key(described.key_type, where),
                    self.converter(described.value_type, where),
                )
            case inspect.TupleType():
                return containers.Tuple(
                    [self.converter(item, where) for item in described.item_types]
                )
            case inspect.UnionType():
                return self._union(described, where)
            case inspect.DataclassType() | inspect.StructType():
                return self._record(described)
            case (
                inspect.ListType()
                | inspect.VarTupleType()
                | inspect.SetType()
                | inspect.FrozenSetType()
                | inspect.CollectionType()
            ):
                item = self.converter(described.item_type, where)
                return containers.Items(item, described.min_length, described.max_length)
        base = _SCALARS.get(type(described))
        if base is None:
            kind = getattr(getattr(described, "cls", None), "__name__", type(described).__name__)
            raise UnsupportedType(f"{where}: the type {kind} cannot be filled from a file")
        names = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")
        limits = {name: getattr(described, name, None) for name in names}
        return converters.Scalar(
            base, {name: limit for name, limit in limits.items() if limit is not None}
        )

    def _key(self, described: inspect.Type, where: str) -> Converter:
        """Returns the converter of a map's keys, which JSON stores as text."""
        if isinstance(described, inspect.AnyType):
            return containers.Union([converters.Scalar(base, {}) for base in (str, int, float)])
        converter = self.converter(described, f"{where} (key)")
        if isinstance(converter, converters.Choice | converters.Named):
            return converter
        if isinstance(converter, converters.Scalar) and converter.base is not bool:
            return converter
        raise UnsupportedType(f"{where}: keys can be text, numbers or enums only")

    def _union(self, described: inspect.UnionType, where: str) -> Converter:
        optional = any(isinstance(item, inspect.NoneType) for item in described.types)
        choices = [self.converter(item, where) for item in described.types]
        return containers.Optional(choices) if optional else containers.Union(choices)

    def _record(self, described: inspect.DataclassType | inspect.StructType) -> Record:
        cls = described.cls
        if isinstance(described, inspect.StructType) and described.array_like:
            raise UnsupportedType(
                f"{cls.__name__}: array_like structs cannot be filled from a file"
            )
        own = _own_fields(cls)
        if own:
            raise UnsupportedType(
                f"{cls.__name__}.{own[0]}: only a component itself may have field(init=False)"
            )
        known = self._records.get(cls)
        if known is not None:
            return known
        tag_field = tag = None
        if isinstance(described, inspect.StructType) and described.tag_field is not None:
            tag_field, tag = described.tag_field, str(described.tag)
        record = self._records[cls] = Record(cls.__name__, tag_field, tag)
        for field in described.fields:
            converter = self.converter(field.type, f"{cls.__name__}.{field.name}")
            record.fields[field.encode_name] = converter
        required = (field.encode_name for field in described.fields if field.required)
        record.required = frozenset(required)
        return record
