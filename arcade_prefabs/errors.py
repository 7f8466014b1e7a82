"""Every error that the package raises, in one tree.

::

    ArcadePrefabsError
    ├── LocatedError                 knows the file, line and column
    │   ├── RonError                 text that is not RON            (also a ValueError)
    │   ├── PrefabError              a prefab file with a mistake    (also a ValueError)
    │   │   ├── UnknownNameError     a misspelt component, field, document or field value
    │   │   ├── MissingPrefabError   `extends` or a child names a prefab that is not there
    │   │   └── PrefabCycleError     a prefab that contains or extends itself
    │   └── AssetError               a file that cannot be read or baked
    │       ├── MissingAssetError    there is no such file
    │       ├── UnsafePathError      a path that leaves its folder, or differs between systems (also
    │       │                        a ValueError)
    │       ├── UnreadableAssetError the file exists, but reading it failed; a retry may work
    │       ├── AssetTooLargeError   more bytes, pixels or entries than the stated limit
    │       └── ProcessorError       the processor raised an exception, or its worker process died
    ├── StoreError                   the bake store or a release file cannot be used
    │   └── AssetChangedError        an asset was baked again while it was being read
    ├── BakeCancelledError           a bake was cancelled; the outputs committed so far stay
    ├── LoadError                    a load ended without a value
    │   ├── LoadCancelledError       the load was cancelled, or the loader was closed
    │   ├── LoadTimeoutError         the load took too long         (also a TimeoutError)
    │   └── DependencyError          a dependency of the asset cannot be loaded
    ├── LoaderClosedError            the loader was closed
    ├── QueueFullError               the queue of the game's own main-thread jobs is full
    ├── AtlasFullError               no room in the texture atlas
    ├── FrameRateError               a game did not hold its frame rate (also an AssertionError)
    ├── PluginError                  the plugin is attached twice, or used after it was closed
    ├── SpawnError                   an entity could not be spawned, or was despawned
    ├── StreamingError               a world that cannot be opened, or was closed
    │   ├── SaveError                a saved game cannot be read or written
    │   └── PreloadError             an area that the game preloads cannot be loaded
    │       └── PreloadTimeoutError  the preload took too long      (also a TimeoutError)
    ├── WrongThreadError             a call in another thread than the window's
    └── RegistryError                a component class that cannot be registered (also a ValueError)

A `LocatedError` prints as ``file:line:column: message``, then the source line with a caret under
the column, then the hint, if it has one. All errors can be pickled, because worker processes send
them to the game.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, ClassVar, Final

__all__ = [
    "ArcadePrefabsError",
    "AssetChangedError",
    "AssetError",
    "AssetTooLargeError",
    "AtlasFullError",
    "BakeCancelledError",
    "DependencyError",
    "FrameRateError",
    "LoadCancelledError",
    "LoadError",
    "LoadTimeoutError",
    "LoaderClosedError",
    "LocatedError",
    "MissingAssetError",
    "MissingPrefabError",
    "PluginError",
    "PrefabCycleError",
    "PrefabError",
    "PreloadError",
    "PreloadTimeoutError",
    "ProcessorError",
    "QueueFullError",
    "RegistryError",
    "RonError",
    "SaveError",
    "SpawnError",
    "StoreError",
    "StreamingError",
    "UnknownNameError",
    "UnreadableAssetError",
    "UnsafePathError",
    "WrongThreadError",
    "columns",
    "shown",
    "shown_error",
]

# A minified or hostile file may consist of one line of many megabytes. An error keeps and prints
# only a window of that line, because errors are sent between processes and kept in lists.
_KEPT_COLUMNS = 1000
_SHOWN_COLUMNS = 100
# Names and messages from hostile files may have many megabytes; longer ones are shortened.
_NAME_LENGTH: Final = 100
_PATH_LENGTH: Final = 600
_MESSAGE_LENGTH: Final = 3000
# Characters that Unicode counts as letters or marks, although they are invisible.
_BLANKS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_TAB: Final = "    "
_JOINER: Final = "\N{ZERO WIDTH JOINER}"
_EMOJI_STYLE: Final = "\N{VARIATION SELECTOR-16}"


def shown(text: str, most: int | None = _NAME_LENGTH) -> str:
    r"""Returns text from a file, or a file name, in a form that is safe to print and log.

    Characters that could mislead the reader are replaced by Python's escapes, such as ``\x1b`` or
    ``\u202e``: control characters (they move a terminal's cursor or run its commands), marks that
    change the direction of writing, invisible characters (they make two different names look
    alike), lone surrogates (no output accepts them) and line breaks (they would add a line to a
    message). Letters of all scripts and emoji stay.

    Args:
        text: Any text.
        most: The number of characters above which the middle of the text is left out and its length
            appended; None for no limit.

    Example:
        >>> shown("crate\x1b[31m")
        'crate\\x1b[31m'
        >>> shown("x" * 1_000, most=8)
        'xxxx…xxxx (1,000 characters)'

    Any thread.
    """
    length = len(text)
    if most is not None and length > most:
        head = most - most // 2
        cut = _visible(text[:head]) + "…" + _visible(text[length - most // 2 :])
        return f"{cut} ({length:,} characters)"
    return _visible(text)


def shown_error(error: BaseException) -> str:
    """Returns the message of an exception in a form that is safe to print and log.

    The message of an `ArcadePrefabsError` is safe already and keeps its line breaks. Any other
    exception may quote text from a file, so its message goes through `shown` and becomes one line.

    Any thread.
    """
    text = str(error)
    return text if isinstance(error, ArcadePrefabsError) else shown(text, _MESSAGE_LENGTH)


def columns(text: str) -> int:
    """Returns the number of terminal columns that a text takes.

    East Asian letters and emoji take two columns, combining accents none.

    Any thread.
    """
    if text.isascii():
        return len(text)
    return sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.combining(character) or character in (_JOINER, _EMOJI_STYLE):
        return 0
    return 1 + (unicodedata.east_asian_width(character) in "WF")


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible_pieces(text))


def _visible_pieces(text: str) -> list[str]:
    """Returns each character of a text, or the escape that is printed instead of it."""
    pieces = []
    for at, character in enumerate(text):
        hidden = not character.isprintable() or _BLANKS.match(character) is not None
        if hidden and not _within_emoji(text, at):
            pieces.append(character.encode("unicode_escape").decode())
        else:
            pieces.append(character)
    return pieces


def _within_emoji(text: str, at: int) -> bool:
    """Returns whether the joiner or style selector at an index is part of an emoji."""
    before = text[at - 1 : at] if at else ""
    if text[at] == _EMOJI_STYLE:
        return bool(before) and unicodedata.category(before) in ("So", "Sm", "Nd", "Po")
    behind = text[at + 1 : at + 2]
    return (
        text[at] == _JOINER
        and bool(before and behind)
        and (before == _EMOJI_STYLE or unicodedata.category(before) in ("So", "Sk"))
        and unicodedata.category(behind) == "So"
    )


class ArcadePrefabsError(Exception):
    """Root of all errors of this package: catch it to catch every one of them.

    ``str(error)`` passes through `shown` and is safe to print and log. It is a single line, except
    for errors that contain another error or a report.
    """

    _has_lines: ClassVar[bool] = False

    def __str__(self) -> str:
        text = super().__str__()
        lines = text.split("\n") if self._has_lines else [text]
        return "\n".join([shown(line, _MESSAGE_LENGTH) for line in lines])


class LocatedError(ArcadePrefabsError):
    """Error at a location in a text file.

    Attributes:
        message: One sentence that says what is wrong, without the location.
        path: The file's name as the caller gave it, or None for text without a file.
        line: Line, counted from 1, or None if the location is unknown.
        column: Column in characters, counted from 1, or None if the location is unknown.
        source_line: The line of the file above the caret, or None; of a line with more than 1,000
            characters only the part around the column.
        hint: What to write or do instead, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
        source_line: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.column = column
        self._cut = 0  # how many characters at the start of the line were left out
        if source_line is not None and len(source_line) > _KEPT_COLUMNS:
            self._cut = _window(len(source_line), column or 1, _KEPT_COLUMNS)
            source_line = source_line[self._cut : self._cut + _KEPT_COLUMNS]
        self.source_line = source_line
        self.hint = hint

    @property
    def location(self) -> str:
        """The location as ``file:line:column``, which editors and terminals turn into a link."""
        parts = [shown(self.path, _PATH_LENGTH) if self.path else "<text>"]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)

    def __str__(self) -> str:
        has_location = self.path or self.line is not None
        message = shown(self.message, _MESSAGE_LENGTH)
        lines = [f"{self.location}: {message}" if has_location else message]
        if self.source_line is not None and self.line is not None and self.column is not None:
            lines += _excerpt(self.source_line, self.line, self.column - self._cut)
        if self.hint:
            lines.append(f"  hint: {shown(self.hint, _MESSAGE_LENGTH)}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        # Python pickles only an exception's positional arguments; these errors have keyword ones.
        return (_rebuild, (type(self), self.message), self.__dict__)


class RonError(LocatedError, ValueError):
    """A text is not valid RON; the message says what was expected, a caret shows where."""


class PrefabError(LocatedError, ValueError):
    """A prefab file is valid RON but no valid prefab: a wrong type, a missing field, and so on."""


class UnknownNameError(PrefabError):
    """A component, field, document or variant has a name that does not exist.

    The hint lists the most similar names.
    """


class MissingPrefabError(PrefabError):
    """The prefab that ``extends`` or ``children`` names does not exist."""


class PrefabCycleError(PrefabError):
    """A prefab contains or extends itself, also through others; the message shows the chain."""


class AssetError(LocatedError):
    """A file of the game cannot be read or baked; `path` is the file's path."""


class MissingAssetError(AssetError):
    """The file does not exist, or was never baked."""


class UnsafePathError(AssetError, ValueError):
    """A path leads out of its folder, differs between systems, or names a file of another kind."""


class UnreadableAssetError(AssetError):
    """The file exists, but the operating system could not read it: a lock, a disk or network error.

    The next attempt may succeed.
    """


class AssetTooLargeError(AssetError):
    """A file has more bytes, pixels or entries than the limit that the message states."""


class ProcessorError(AssetError):
    """The processor of an asset raised an unexpected exception, or its worker process died."""


class StoreError(ArcadePrefabsError):
    """The bake store or a release file cannot be used; the message says why and what to do."""


class AssetChangedError(StoreError):
    """An asset was baked again while its pages were being read; read all of its pages again."""


class BakeCancelledError(ArcadePrefabsError):
    """A bake was cancelled. The outputs committed so far stay; the next bake continues there."""


class RegistryError(ArcadePrefabsError, ValueError):
    """A component or sprite class cannot be registered: its name is taken or it is no dataclass."""


def _rebuild(kind: type[LocatedError], message: str) -> LocatedError:
    return kind(message)


def _excerpt(source_line: str, line: int, column: int) -> list[str]:
    """Returns the source line and a line with the caret, cut to a window around the column."""
    start = 0
    part = source_line.rstrip("\r\n")
    if len(part) > _SHOWN_COLUMNS:
        start = _window(len(part), column, _SHOWN_COLUMNS)
        part = part[start : start + _SHOWN_COLUMNS]
    # The caret is aligned with the printed text, in which escapes and some letters are wider than
    # one column. Tabs have a different width in each terminal, so spaces are printed for them.
    pieces = [
        _TAB if character == "\t" else piece
        for character, piece in zip(part, _visible_pieces(part), strict=True)
    ]
    before = " " * columns("".join(pieces[: column - 1 - start]))
    number = str(line)
    return [f"  {number} | {''.join(pieces)}", f"  {' ' * len(number)} | {before}^"]


def _window(length: int, column: int, width: int) -> int:
    """Returns where a window of ``width`` characters around a column begins in a longer line."""
    return max(0, min(column - 1 - width // 2, length - width))


class LoadError(ArcadePrefabsError):
    """A load was cancelled, took too long, or failed with a dependency; or it has not ended yet."""


class LoadCancelledError(LoadError):
    """The load was cancelled through its handle, or because the loader was closed."""


class LoadTimeoutError(LoadError, TimeoutError):
    """The load took longer than its time-out."""


class DependencyError(LoadError):
    """A dependency of the asset cannot be loaded; ``__cause__`` is the error of the dependency.

    Attributes:
        chain: The asset ids from the requested asset to the one that failed.
    """

    _has_lines = True  # the message contains the error of the dependency

    def __init__(self, message: str, chain: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.chain = chain

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.chain)


class LoaderClosedError(ArcadePrefabsError):
    """The loader was closed and takes no more requests; make a new one."""


class AtlasFullError(ArcadePrefabsError):
    """The texture atlas has no room for an image and cannot grow; the message says what to do."""


class FrameRateError(ArcadePrefabsError, AssertionError):
    """A game did not hold the required frame rate; the message is the whole report."""

    _has_lines = True


class PluginError(ArcadePrefabsError):
    """The plugin is attached twice, used after it was closed, or its window is closed."""


class SpawnError(ArcadePrefabsError):
    """An entity could not be spawned, or was used after it was despawned."""

    _has_lines = True  # the message may contain the error of the prefab


class StreamingError(ArcadePrefabsError):
    """A world cannot be opened, has invalid content, or was closed."""

    _has_lines = True  # the message may contain the error of the world's file


class SaveError(StreamingError):
    """A saved game cannot be opened, read or written; the data saved before stays intact."""

    _has_lines = False


class PreloadError(StreamingError):
    """An area that the game preloads cannot be loaded.

    Attributes:
        failures: The error of each cell or entity that could not be loaded, by its name.
    """

    def __init__(self, message: str, failures: dict[str, Exception] | None = None) -> None:
        super().__init__(message)
        self.failures = failures or {}

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.failures)


class PreloadTimeoutError(PreloadError, TimeoutError):
    """The preload of an area took longer than its time-out."""


class WrongThreadError(ArcadePrefabsError):
    """A method that needs the window was called in another thread than the window's."""


class QueueFullError(ArcadePrefabsError):
    """The main-thread queue holds as many of the game's jobs as it may; submit fewer, or later."""
