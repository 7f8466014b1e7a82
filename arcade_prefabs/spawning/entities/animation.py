"""Animations: frames that replace each other, for as many sprites as there are."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Final, Protocol

from arcade import BasicSprite, Texture

from ...prefab.builtin import AnimationMode
from ..atlas.textures import LoadedTexture
from ..blueprints.sprite_spec import SpriteSpec, TextureRef

__all__ = ["Animated", "Animator", "SpriteAnimation"]

# A game that stood still for a while goes on; it does not catch up frame by frame.
_LONGEST_S: Final = 0.25
# Frames shorter than that are not to be seen, and would cost as much as the others.
_SHORTEST_S: Final = 0.001


class Animated(Protocol):
    """What has a sprite whose frames are played; an `EntityRecord` is one.

    Attributes:
        sprite: The sprite; None once it is gone.
        animation: What plays its animation.
    """

    sprite: BasicSprite | None
    animation: SpriteAnimation | None


class SpriteAnimation:
    """Plays the animation of one sprite.

    Attributes:
        frame: The number of the frame that is shown.
        playing: Whether it goes on by itself.

    Main thread.
    """

    __slots__ = (
        "_animator",
        "_durations",
        "_forward",
        "_mode",
        "_serial",
        "_target",
        "_textures",
        "frame",
        "playing",
    )

    def __init__(
        self,
        animator: Animator,
        target: Animated,
        textures: tuple[Texture, ...],
        durations: tuple[float, ...],
        mode: AnimationMode,
    ) -> None:
        self.frame = 0
        self.playing = False
        self._animator = animator
        self._target = target
        self._textures = textures
        self._durations = durations
        self._mode = mode
        self._forward = True
        self._serial = 0  # what waits in the animator with another one is out of date

    def __len__(self) -> int:
        return len(self._textures)

    def play(self) -> None:
        """Go on; from the beginning, if it had come to its end."""
        if self.playing or len(self._textures) < 2:
            return
        if self._mode is AnimationMode.Once and self.frame == len(self._textures) - 1:
            self.show(0)
        self.playing = True
        self._animator.enter(self)

    def stop(self) -> None:
        """Stay at the frame that is shown."""
        self.playing = False
        self._serial += 1

    def show(self, frame: int) -> None:
        """Show a frame.

        Raises:
            IndexError: There is no such frame.
        """
        texture = self._textures[frame]
        self.frame = frame % len(self._textures)
        sprite = self._target.sprite
        if sprite is not None:
            sprite.texture = texture

    def _step(self) -> bool:
        """Go to the next frame; False at the end."""
        last = len(self._textures) - 1
        if self._mode is AnimationMode.PingPong:
            if self.frame in (0, last):
                self._forward = self.frame == 0
            self.show(self.frame + (1 if self._forward else -1))
        elif self.frame < last:
            self.show(self.frame + 1)
        elif self._mode is AnimationMode.Loop:
            self.show(0)
        if self._mode is AnimationMode.Once and self.frame == last:
            self.playing = False
        return self.playing


class Animator:
    """Changes the frames of all animations when their time has come.

    What costs time are changes, not animations: those that are not due are not looked at.

    Args:
        texture: Gives the texture of an image.

    Main thread.
    """

    def __init__(self, texture: Callable[[TextureRef], LoadedTexture | None]) -> None:
        self._texture = texture
        self._now = 0.0
        self._due: list[tuple[float, int, int, SpriteAnimation]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._due)

    def begin(self, target: Animated, spec: SpriteSpec, image: LoadedTexture) -> None:
        """Give something its animation, and start that if it should by itself."""
        animation = spec.animation
        textures: list[Texture] = []
        durations: list[float] = []
        images = [image] if animation is None else [self._texture(one) for one in animation.frames]
        for one in images:
            if one is None:
                continue
            frames = one.flipped(spec.flip)
            textures.extend(frames)
            own = one.durations if animation is None else None
            for number in range(len(frames)):
                given = own[number] if own is not None else None
                seconds = given if given is not None else _duration(spec)
                durations.append(max(seconds, _SHORTEST_S))
        if not textures:
            return
        mode = AnimationMode.Loop if animation is None else animation.mode
        made = SpriteAnimation(self, target, tuple(textures), tuple(durations), mode)
        target.animation = made
        made.show(0)
        if animation is None or animation.autoplay:
            made.play()

    def enter(self, animation: SpriteAnimation) -> None:
        """Have its next frame shown when it is due."""
        animation._serial += 1
        at = self._now + animation._durations[animation.frame]
        entry = (at, next(self._numbers), animation._serial, animation)
        heapq.heappush(self._due, entry)

    def update(self, delta_time: float) -> int:
        """Let time pass, in seconds; gives how many frames were changed."""
        self._now += min(delta_time, _LONGEST_S)
        count = 0
        due = self._due
        while due and due[0][0] <= self._now:
            at, _, serial, animation = heapq.heappop(due)
            if serial != animation._serial or animation._target.sprite is None:
                continue
            count += 1
            if animation._step():
                # From when it was due, so that a slow frame makes no animation slower.
                at += animation._durations[animation.frame]
                entry = (at, next(self._numbers), animation._serial, animation)
                heapq.heappush(due, entry)
        return count

    def clear(self) -> None:
        """Change nothing any more."""
        self._due.clear()


def _duration(spec: SpriteSpec) -> float:
    return 0.1 if spec.animation is None else spec.animation.duration
