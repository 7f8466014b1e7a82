"""Registers the components and sprite classes that prefab files may name.

Files never name Python code. A file says ``Health``, and the registry knows the one class that the
game registered under that name.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar, overload

import msgspec

from ..errors import PrefabError, RegistryError, UnknownNameError, shown
from .builtin import BUILTIN_COMPONENTS
from .container_types import Record
from .converters import Converter
from .field_types import UnsupportedType, compile_type, shape_of
from .suggestions import did_you_mean

__all__ = [
    "ComponentRegistry",
    "ComponentType",
    "RegistryDescription",
    "component",
    "default_registry",
]

_T = TypeVar("_T", bound=type)


@dataclasses.dataclass(frozen=True, slots=True)
class RegistryDescription:
    """The content of a registry without its classes, as plain data that can be pickled.

    Worker processes check files with it and never import the game. Its fingerprint decides which
    prefabs are baked again after a component class has changed.

    Attributes:
        converters: The converter of each component, by component name.
        sprite_classes: The names of the sprite classes, sorted.
    """

    converters: Mapping[str, Record]
    sprite_classes: tuple[str, ...]
    _digests: dict[str, bytes] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def fingerprint(self, names: Iterable[str] | None = None) -> bytes:
        """Returns a hash of the field types of components; it is the same in every process.

        Args:
            names: Names of components, and of sprite classes with an ``@`` in front; None for all
                that are registered. A name that is not registered has a hash of its own, so that
                the fingerprint changes when the game registers it.

        Any thread.
        """
        if names is None:
            names = [*self.converters, *("@" + name for name in self.sprite_classes)]
        hasher = hashlib.blake2b(digest_size=16)
        for name in sorted(names):
            hasher.update(name.encode() + b"\0")
            hasher.update(self._digest(name))
        return hasher.digest()

    def _digest(self, name: str) -> bytes:
        digest = self._digests.get(name)
        if digest is None:
            if name.startswith("@"):
                digest = b"there" if name[1:] in self.sprite_classes else b"missing"
            elif name in self.converters:
                text = _canonical(self.converters[name], {})
                digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
            else:
                digest = b"missing"
            self._digests[name] = digest
        return digest


class ComponentType:
    """A registered component: its name, its class and the converter of its fields."""

    __slots__ = ("_shape", "cls", "converter", "name")

    def __init__(self, name: str, cls: type, shape: type, converter: Record) -> None:
        self.name = name
        self.cls = cls
        self.converter = converter
        self._shape = shape

    def build(self, fields: dict[str, Any]) -> Any:
        """Returns a new component from plain data.

        Raises:
            PrefabError: A required field is missing, or the class raised an exception for the
                values.
        """
        self._refuse_missing(fields)
        if self.converter.has_any:
            fields = copy.deepcopy(fields)  # msgspec copies no `Any`: entities would share the data
        try:
            filled: Any = msgspec.convert(fields, self._shape, str_keys=True)
            if self._shape is self.cls:
                return filled
            return self.cls(
                **{name: getattr(filled, name) for name in self.converter.fields.keys() & fields}
            )
        except (msgspec.ValidationError, ValueError, TypeError) as error:
            # The converter has checked the types already: this error is from the class's own
            # `__post_init__`, or the data is of another version of the class.
            raise PrefabError(str(error)) from error
        except Exception as error:
            # For example a `__post_init__` that divides by a zero from the file.
            raise PrefabError(f"{type(error).__name__}: {error}") from error

    def _refuse_missing(self, fields: dict[str, Any]) -> None:
        missing = self.converter.required - fields.keys()
        if missing:
            names = ", ".join(f"`{name}`" for name in self.converter.fields if name in missing)
            raise PrefabError(f"missing field{'s' * (len(missing) > 1)} {names}")


class _DescribedType(ComponentType):
    """A component whose class is in another process; `build` returns its fields."""

    __slots__ = ()

    def build(self, fields: dict[str, Any]) -> Any:
        self._refuse_missing(fields)
        return fields


class ComponentRegistry:
    """The components and sprite classes that prefab files may name.

    A new registry has the built-in components (``Sprite``, ``Collider``, ...). Most games need only
    the `default_registry`, which `component` fills; tests and tools make their own.

    Example:
        >>> registry = ComponentRegistry()
        >>> @registry.component
        ... @dataclasses.dataclass
        ... class Health:
        ...     max: int
        >>> registry.build("Health", {"max": 20})
        Health(max=20)

    A component may be registered while other threads read prefabs; those threads may or may not see
    it yet.

    Any thread.
    """

    def __init__(self, *, builtins: bool = True) -> None:
        self._lock = threading.Lock()  # of two threads that register one name, one has to fail
        self._types: dict[str, ComponentType] = {}
        # Classes whose field types name a class that is defined further down in their module; they
        # are compiled when they are used first.
        self._pending: dict[str, type] = {}
        self._sprite_classes: dict[str, type | None] = {}
        self._description: RegistryDescription | None = None  # reset by each registration
        if builtins:
            for cls in BUILTIN_COMPONENTS:
                self.component(cls)
            # Only the names of Arcade's own classes: `spawning` supplies the classes, because this
            # package must not import Arcade.
            self._sprite_classes = {"Sprite": None, "BasicSprite": None}

    @overload
    def component(self, cls: _T, /) -> _T: ...
    @overload
    def component(self, /, *, name: str | None = None) -> Callable[[_T], _T]: ...

    def component(self, cls: type | None = None, /, *, name: str | None = None) -> Any:
        """Registers a dataclass or ``msgspec.Struct`` as a component; used as a decorator.

        Args:
            cls: The class.
            name: The name in prefab files; the class's own name by default.

        Raises:
            RegistryError: The name is taken by another class, the class is no dataclass, or a field
                has a type that cannot be read from a file (give it ``field(init=False)`` if only
                the game sets it).
        """
        if cls is None:
            return lambda decorated: self._register(decorated, name)
        return self._register(cls, name)

    def _register(self, cls: type, name: str | None) -> type:
        if not isinstance(cls, type) or not (
            dataclasses.is_dataclass(cls) or issubclass(cls, msgspec.Struct)
        ):
            raise RegistryError(
                f"{getattr(cls, '__name__', cls)!s} is no dataclass: "
                "write @component above @dataclass, directly above the class"
            )
        name = cls.__name__ if name is None else name
        if not name.isidentifier():
            raise RegistryError(f"a component's name must be a plain name, got {name!r}")
        with self._lock:
            owner = self._types[name].cls if name in self._types else self._pending.get(name)
            if owner is cls:
                return cls
            if owner is not None:
                raise RegistryError(
                    f"the component name `{name}` is taken by {_full_name(owner)}; "
                    f"give {_full_name(cls)} another one: @component(name=...)"
                )
            self._description = None
            try:
                self._types[name] = self._compiled(name, cls)
            except (NameError, AttributeError):
                self._pending[name] = cls
        return cls

    def _compiled(self, name: str, cls: type) -> ComponentType:
        try:
            shape = shape_of(cls)
            converter = compile_type(shape)
        except (UnsupportedType, SyntaxError) as error:
            raise RegistryError(f"component `{name}`: {error}") from error
        converter.name = name
        return ComponentType(name, cls, shape, converter)

    def get(self, name: str) -> ComponentType | None:
        """Returns the component with a name, or None.

        Raises:
            RegistryError: The type of one of its fields names a class that does not exist.
        """
        found = self._types.get(name)
        if found is None and name in self._pending:
            with self._lock:
                cls = self._pending.get(name)
                if cls is not None:
                    try:
                        self._types[name] = self._compiled(name, cls)
                    except (NameError, AttributeError) as error:
                        raise RegistryError(f"component `{name}`: {error}") from error
                    del self._pending[name]
            found = self._types.get(name)
        return found

    def names(self) -> tuple[str, ...]:
        """Returns the names of all components, sorted."""
        with self._lock:
            return tuple(sorted((*self._types, *self._pending)))

    def __contains__(self, name: object) -> bool:
        return name in self._types or name in self._pending

    def build(self, name: str, fields: dict[str, Any]) -> Any:
        """Returns a new, typed component from the plain data of a `Prefab`.

        Raises:
            UnknownNameError: No component with that name is registered.
            PrefabError: A required field is missing, or the class raised an exception for the
                values.
        """
        found = self.get(name)
        if found is None:
            raise UnknownNameError(
                f"unknown component `{name}`", hint=did_you_mean(name, self.names())
            )
        try:
            return found.build(fields)
        except PrefabError as error:
            raise PrefabError(f"{name}: {error.message}") from error.__cause__

    @overload
    def sprite_class(self, cls: _T, /) -> _T: ...
    @overload
    def sprite_class(self, /, *, name: str | None = None) -> Callable[[_T], _T]: ...

    def sprite_class(self, cls: type | None = None, /, *, name: str | None = None) -> Any:
        """Registers a sprite class under a name that prefabs may use; used as a decorator.

        Example:
            >>> registry = ComponentRegistry()
            >>> @registry.sprite_class
            ... class Enemy: ...  # in a game: class Enemy(arcade.Sprite)
            >>> "Enemy" in registry.sprite_class_names()
            True

        Raises:
            RegistryError: The name is taken by another class, or ``cls`` is no class.
        """
        if cls is None:
            return lambda decorated: self._register_sprite_class(decorated, name)
        return self._register_sprite_class(cls, name)

    def _register_sprite_class(self, cls: type, name: str | None) -> type:
        if not isinstance(cls, type):
            raise RegistryError(f"a sprite class must be a class, got {cls!r}")
        name = cls.__name__ if name is None else name
        if not name.isidentifier():
            raise RegistryError(f"a sprite class's name must be a plain name, got {name!r}")
        with self._lock:
            if name in self._sprite_classes and self._sprite_classes[name] is not cls:
                taken = self._sprite_classes[name]
                holder = "Arcade's own" if taken is None else _full_name(taken)
                raise RegistryError(
                    f"the sprite class name `{name}` is taken by {holder}; "
                    f"give {_full_name(cls)} another one: name=..."
                )
            self._description = None
            self._sprite_classes[name] = cls
        return cls

    def describe(self) -> RegistryDescription:
        """Returns the components and sprite classes as plain data, for worker processes.

        Raises:
            RegistryError: The type of a field names a class that does not exist.
        """
        description = self._description
        if description is not None:
            return description
        converters = {}
        for name in self.names():
            found = self.get(name)
            assert found is not None
            converters[name] = found.converter
        description = RegistryDescription(converters, self.sprite_class_names())
        if set(converters) == set(self.names()):  # no other thread has registered one meanwhile
            self._description = description
        return description

    @classmethod
    def described(cls, description: RegistryDescription) -> ComponentRegistry:
        """Returns a registry that checks files like the described one, without its classes.

        It cannot check conditions that only the classes know, such as a `__post_init__` that raises
        an exception for certain values. Its components are built as plain dicts.
        """
        registry = cls(builtins=False)
        for name, converter in description.converters.items():
            registry._types[name] = _DescribedType(name, dict, dict, converter)
        registry._sprite_classes = dict.fromkeys(description.sprite_classes)
        return registry

    def sprite_class_names(self) -> tuple[str, ...]:
        """Returns the names of all sprite classes, sorted."""
        with self._lock:
            return tuple(sorted(self._sprite_classes))

    def get_sprite_class(self, name: str) -> type | None:
        """Returns a registered sprite class; None for Arcade's own (``Sprite``, ``BasicSprite``).

        Raises:
            UnknownNameError: No sprite class with that name is registered.
        """
        if name not in self._sprite_classes:
            raise unknown_sprite_class(name, self.sprite_class_names())
        return self._sprite_classes[name]


def unknown_sprite_class(name: str, known: Iterable[str]) -> UnknownNameError:
    """Returns the error for a sprite class that is not registered."""
    return UnknownNameError(f"unknown sprite class `{shown(name)}`", hint=did_you_mean(name, known))


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


default_registry: Final = ComponentRegistry()
"""The registry that `component` fills, and the default of all ``registry`` arguments."""

component = default_registry.component
"""Registers a dataclass in the `default_registry`; see `ComponentRegistry.component`."""


def _canonical(value: object, seen: dict[int, int]) -> str:
    """Returns a text that is the same for converters that accept the same values.

    Args:
        value: A converter, or the value of one of its attributes.
        seen: The number of each converter met so far; a converter inside itself is written as its
            number.
    """
    if isinstance(value, Converter):
        if id(value) in seen:
            return f"#{seen[id(value)]}"
        seen[id(value)] = len(seen)
        # These attributes are computed from the others.
        left_out = ("hint", "_naming")
        kept = sorted((name, part) for name, part in vars(value).items() if name not in left_out)
        parts = [f"{name}={_canonical(part, seen)}" for name, part in kept]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, Mapping):
        # The order of fields counts, because files may leave out their names: `Box(32, 32)`.
        items = (f"{key!r}: {_canonical(part, seen)}" for key, part in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_canonical(part, seen) for part in value) + "]"
    if isinstance(value, frozenset):
        return repr(sorted(value))
    return value.__name__ if isinstance(value, type) else repr(value)
