"""Every error that the package raises, in one tree.

::

    ArcadePrefabsError
    ├── LocatedError                 knows the file, line and column
    │   ├── RonError                 text that is not RON            (also a ValueError)
    │   ├── PrefabError              a prefab that cannot be used    (also a ValueError)
    │   │   ├── UnknownNameError     a misspelt component, field, document or field value
    │   │   ├── MissingPrefabError   `extends` or a child names a prefab that is not there
    │   │   └── PrefabCycleError     a prefab that contains or extends itself
    │   └── AssetError               a file that cannot be read or baked
    │       ├── MissingAssetError    there is no such file
    │       ├── UnsafePathError      a name that leaves its folder, or differs between systems (also
    │       │                        a ValueError)
    │       ├── UnreadableAssetError it is there, but reading it failed; it may go next time
    │       ├── AssetTooLargeError   more bytes, pixels or entries than the stated limit
    │       └── ProcessorError       the code that bakes the file failed, or its process died
    ├── StoreError                   the bake store or a release file cannot be used
    │   └── AssetChangedError        an asset was baked anew while it was being read
    ├── BakeCancelledError           a bake was cancelled; what was committed stays
    ├── LoadError                    a load that gives no value
    │   ├── LoadCancelledError       nobody wants it any more
    │   ├── LoadTimeoutError         it took too long               (also a TimeoutError)
    │   └── DependencyError          something that the asset needs cannot be loaded
    ├── LoaderClosedError            the loader was shut down
    ├── QueueFullError               the game's own jobs pile up on the main thread
    ├── AtlasFullError               no room in the texture atlas
    ├── FrameRateError               a game did not hold its frame rate (also an AssertionError)
    ├── PluginError                  attached twice, or used after it was detached
    ├── SpawnError                   an entity could not be spawned, or is gone
    ├── StreamingError               a world that cannot be opened, or was closed
    │   ├── SaveError                a saved game cannot be read or written
    │   └── PreloadError             an area that is waited for will not be there
    │       └── PreloadTimeoutError  it took too long               (also a TimeoutError)
    ├── WrongThreadError             called in another thread than the window's
    └── RegistryError                a component class that cannot be registered (also a ValueError)

A `LocatedError` prints as ``file:line:column: message``, followed by the line of the source with a
caret under the place and, where there is one, a hint. All errors can be pickled, for they travel
from worker processes to the game.
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

# A minified or hostile file may hold one line of many megabytes; an error keeps and shows a window
# of it, for it may travel from process to process and stay in a list.
_KEPT_COLUMNS = 1000
_SHOWN_COLUMNS = 100
# Longer names are not honest ones; to print one of many megabytes helps nobody.
_NAME_LENGTH: Final = 100
_PATH_LENGTH: Final = 600
_MESSAGE_LENGTH: Final = 3000
# Characters that count as letters or marks, and that nobody sees.
_BLANKS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_TAB: Final = "    "
_JOINER: Final = "\N{ZERO WIDTH JOINER}"
_EMOJI_STYLE: Final = "\N{VARIATION SELECTOR-16}"


def shown(text: str, most: int | None = _NAME_LENGTH) -> str:
    r"""Return text from a file, or a file's name, as messages, logs and terminals can hold it.

    Control characters move a terminal's cursor or run its commands, marks of direction turn the
    letters around them, invisible characters make two names look like one, and no output takes
    halves of characters. They are written as Python writes them, ``\x1b`` or ``\u202e``; line
    breaks as well, for a name with one could add a line to a message. Letters of all scripts and
    emoji stay.

    Args:
        text: What may hold anything.
        most: Longer text loses its middle, and its length is named; None shows all of it.

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
    """Return what an error says, as messages, logs and terminals can hold it.

    Errors of this package have lines of their own, and are safe; of any other one nobody knows what
    is quoted in it: its text becomes one line.

    Any thread.
    """
    text = str(error)
    return text if isinstance(error, ArcadePrefabsError) else shown(text, _MESSAGE_LENGTH)


def columns(text: str) -> int:
    """Return the columns that text takes on a terminal: some letters take two, accents none.

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
    """Each character of the text as it is shown."""
    pieces = []
    for at, character in enumerate(text):
        hidden = not character.isprintable() or _BLANKS.match(character) is not None
        if hidden and not _within_emoji(text, at):
            pieces.append(character.encode("unicode_escape").decode())
        else:
            pieces.append(character)
    return pieces


def _within_emoji(text: str, at: int) -> bool:
    """Whether a joiner joins two emoji, or a selector makes one of the sign in front of it."""
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
    """The root of every error of this package: catch it to catch them all.

    Its text is safe to print and to log, whatever the names in it hold; see `shown`. It is one
    line, but for what holds another error or a report: a line break in a name adds none.
    """

    _has_lines: ClassVar[bool] = False

    def __str__(self) -> str:
        text = super().__str__()
        lines = text.split("\n") if self._has_lines else [text]
        return "\n".join([shown(line, _MESSAGE_LENGTH) for line in lines])


class LocatedError(ArcadePrefabsError):
    """An error about a place in a text file.

    Attributes:
        message: What is wrong, in one sentence, without the place.
        path: The file's name as the caller gave it, or None for text without a file.
        line: Line, counted from 1, or None where no place is known.
        column: Column in characters, counted from 1, or None where no place is known.
        source_line: The line of the file, for the caret, or None; of a line of over 1,000
            characters the part around the column.
        hint: What to try, or None.
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
        self._cut = 0  # characters of the line in front of what is kept
        if source_line is not None and len(source_line) > _KEPT_COLUMNS:
            self._cut = _window(len(source_line), column or 1, _KEPT_COLUMNS)
            source_line = source_line[self._cut : self._cut + _KEPT_COLUMNS]
        self.source_line = source_line
        self.hint = hint

    @property
    def place(self) -> str:
        """``file:line:column``, as editors and terminals understand it."""
        parts = [shown(self.path, _PATH_LENGTH) if self.path else "<text>"]
        if self.line is not None:
            parts.append(str(self.line))
            if self.column is not None:
                parts.append(str(self.column))
        return ":".join(parts)

    def __str__(self) -> str:
        known = self.path or self.line is not None
        message = shown(self.message, _MESSAGE_LENGTH)
        lines = [f"{self.place}: {message}" if known else message]
        if self.source_line is not None and self.line is not None and self.column is not None:
            lines += _excerpt(self.source_line, self.line, self.column - self._cut)
        if self.hint:
            lines.append(f"  hint: {shown(self.hint, _MESSAGE_LENGTH)}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions pickle their positional arguments only; ours are keywords.
        return (_rebuild, (type(self), self.message), self.__dict__)


class RonError(LocatedError, ValueError):
    """Text that is not RON; says where, what was expected, and shows the line with a caret."""


class PrefabError(LocatedError, ValueError):
    """Sound RON, but no usable prefab: a wrong type, a missing field and the like."""


class UnknownNameError(PrefabError):
    """A name that nobody registered or declared; the hint has the nearest ones that exist."""


class MissingPrefabError(PrefabError):
    """A prefab that ``extends`` or ``children`` refer to does not exist."""


class PrefabCycleError(PrefabError):
    """A prefab reaches itself through ``extends`` or ``children``; the message names the chain."""


class AssetError(LocatedError):
    """A file of the game that cannot be read or baked; the path is the asset's."""


class MissingAssetError(AssetError):
    """There is no such file, or it was never baked."""


class UnsafePathError(AssetError, ValueError):
    """A name that could leave its folder, or is not the same name on every system."""


class UnreadableAssetError(AssetError):
    """The file is there, but reading it failed: it is locked, or the disk or network is not well.

    It may go next time.
    """


class AssetTooLargeError(AssetError):
    """More bytes, pixels or entries than the limit that the message states."""


class ProcessorError(AssetError):
    """The code that bakes the asset raised something else, or its process died."""


class StoreError(ArcadePrefabsError):
    """The bake store, or a release file, cannot be used; the message says why and what to do."""


class AssetChangedError(StoreError):
    """An asset was baked anew while its pages were being read: get it again."""


class BakeCancelledError(ArcadePrefabsError):
    """A bake was cancelled. What was committed stays, the next bake goes on from there."""


class RegistryError(ArcadePrefabsError, ValueError):
    """A component or sprite class cannot be registered: a name in use, or no dataclass."""


def _rebuild(kind: type[LocatedError], message: str) -> LocatedError:
    return kind(message)


def _excerpt(source_line: str, line: int, column: int) -> list[str]:
    """The source line and a caret line below it, cut to a window around the column."""
    start = 0
    part = source_line.rstrip("\r\n")
    if len(part) > _SHOWN_COLUMNS:
        start = _window(len(part), column, _SHOWN_COLUMNS)
        part = part[start : start + _SHOWN_COLUMNS]
    # The caret stands below what is shown: escapes and some letters are wider than one column.
    # Tabs have another width in each terminal, so none is printed.
    pieces = [
        _TAB if character == "\t" else piece
        for character, piece in zip(part, _visible_pieces(part), strict=True)
    ]
    before = " " * columns("".join(pieces[: column - 1 - start]))
    number = str(line)
    return [f"  {number} | {''.join(pieces)}", f"  {' ' * len(number)} | {before}^"]


def _window(length: int, column: int, width: int) -> int:
    """Where a window of ``width`` columns around a column begins in a longer line."""
    return max(0, min(column - 1 - width // 2, length - width))


class LoadError(ArcadePrefabsError):
    """A load that gives no value, for another reason than the asset's own."""


class LoadCancelledError(LoadError):
    """The load was cancelled: by its handle, or because the loader was shut down."""


class LoadTimeoutError(LoadError, TimeoutError):
    """The load took longer than its time-out."""


class DependencyError(LoadError):
    """Something that an asset needs cannot be loaded; the cause is in ``__cause__``.

    Attributes:
        chain: The ids from the asset that was asked for to the one that failed.
    """

    _has_lines = True  # those of the asset's own error

    def __init__(self, message: str, chain: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.chain = chain

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.chain)


class LoaderClosedError(ArcadePrefabsError):
    """The loader was shut down: make a new one."""


class AtlasFullError(ArcadePrefabsError):
    """The texture atlas has no room for an image, and cannot grow; the message says what to do."""


class FrameRateError(ArcadePrefabsError, AssertionError):
    """A game did not hold the frame rate that was asked for; the message is the whole report."""

    _has_lines = True


class PluginError(ArcadePrefabsError):
    """The plugin was attached twice, or used after it was detached, or has no window any more."""


class SpawnError(ArcadePrefabsError):
    """An entity could not be spawned, or was asked for something after it was despawned."""

    _has_lines = True  # those of the error of its prefab


class StreamingError(ArcadePrefabsError):
    """A world cannot be opened, has content that cannot be used, or was closed."""

    _has_lines = True  # those of the error of its file


class SaveError(StreamingError):
    """A saved game cannot be opened, read or written; what was saved before stays."""

    _has_lines = False


class PreloadError(StreamingError):
    """An area that somebody waits for will not be there.

    Attributes:
        failures: Why, by the name of what could not be loaded: a cell or an entity.
    """

    def __init__(self, message: str, failures: dict[str, Exception] | None = None) -> None:
        super().__init__(message)
        self.failures = failures or {}

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.failures)


class PreloadTimeoutError(PreloadError, TimeoutError):
    """The area took longer than its time-out."""


class WrongThreadError(ArcadePrefabsError):
    """Something that needs the window was called in another thread than the window's."""


class QueueFullError(ArcadePrefabsError):
    """The main thread has as many jobs waiting as it may have: submit fewer, or later."""
