"""`Animator`: changes the animation frames of all sprites when they are due."""

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

# Seconds of a frame that count at most: after a pause, animations go on, and do not catch up.
_LONGEST_S: Final = 0.25
# Seconds of an animation frame at least: shorter ones are invisible, and cost as much as others.
_SHORTEST_S: Final = 0.001


class Animated(Protocol):
    """Has a sprite with an animation; an `EntityRecord` is one.

    Attributes:
        sprite: The sprite; None once it is gone.
        animation: Plays the sprite's animation.
    """

    sprite: BasicSprite | None
    animation: SpriteAnimation | None


class SpriteAnimation:
    """Plays the animation of one sprite.

    Attributes:
        frame: The number of the current animation frame, counted from 0.
        playing: Whether the animation is running.

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
        self._serial = 0  # entries of the animator with another serial are out of date

    def __len__(self) -> int:
        return len(self._textures)

    def play(self) -> None:
        """Starts or continues the animation; from the beginning, if it had ended."""
        if self.playing or len(self._textures) < 2:
            return
        if self._mode is AnimationMode.Once and self.frame == len(self._textures) - 1:
            self.show(0)
        self.playing = True
        self._animator.enter(self)

    def stop(self) -> None:
        """Stops the animation at the current frame."""
        self.playing = False
        self._serial += 1

    def show(self, frame: int) -> None:
        """Shows an animation frame, by its number; a running animation goes on from there.

        Raises:
            IndexError: There is no such frame.
        """
        texture = self._textures[frame]
        self.frame = frame % len(self._textures)
        sprite = self._target.sprite
        if sprite is not None:
            sprite.texture = texture

    def _step(self) -> bool:
        """Shows the next frame; returns whether the animation goes on."""
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
    """Changes the animation frames of all animations when they are due.

    The cost grows with the frames that are due, not with the number of animations.

    Args:
        texture: Returns the loaded texture of an image.

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
        """Gives a sprite its animation, and starts it if it has `autoplay`."""
        animation = spec.animation
        textures: list[Texture] = []
        durations: list[float] = []
        images = [image] if animation is None else [self._texture(ref) for ref in animation.frames]
        for loaded in images:
            if loaded is None:
                continue
            frames = loaded.flipped(spec.flip)
            textures.extend(frames)
            own = loaded.durations if animation is None else None
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
        """Enters an animation into the queue of due frames."""
        animation._serial += 1
        at = self._now + animation._durations[animation.frame]
        entry = (at, next(self._numbers), animation._serial, animation)
        heapq.heappush(self._due, entry)

    def update(self, delta_time: float) -> int:
        """Lets time pass; returns how many frames were changed.

        Args:
            delta_time: Seconds.
        """
        self._now += min(delta_time, _LONGEST_S)
        count = 0
        due = self._due
        while due and due[0][0] <= self._now:
            at, _, serial, animation = heapq.heappop(due)
            if serial != animation._serial or animation._target.sprite is None:
                continue
            count += 1
            if animation._step():
                # Counted from when the frame was due: slow frames do not slow animations down.
                at += animation._durations[animation.frame]
                entry = (at, next(self._numbers), animation._serial, animation)
                heapq.heappush(due, entry)
        return count

    def clear(self) -> None:
        """Stops all animations."""
        self._due.clear()


def _duration(spec: SpriteSpec) -> float:
    return 0.1 if spec.animation is None else spec.animation.duration
