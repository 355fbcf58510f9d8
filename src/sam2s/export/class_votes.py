"""What an object is, from what the model called it on every frame of its track.

A model with TSL names an object on each frame, with a probability. Frames vote: each for the
name it gives, with that probability, and counts as much as the object is present on it. A name's
share of all votes is its probability over the track; frames that gave another name count as none
for it, so the share is rather too low than too high. A name with less than half is none: the
model knows instruments alone, and spreads its votes where it looks at something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ENOUGH = 0.5
"""Share of the votes that makes a name."""


@dataclass(frozen=True, slots=True)
class SeenClass:
    """What the model called an object on one frame: ``name``, its probability, and the probability
    that the object is in view."""

    name: str
    prob: float
    presence: float


@dataclass(frozen=True, slots=True)
class VotedClass:
    """The class of a track and its probability."""

    class_name: str = field(metadata={"key": "class"})
    class_prob: float


@dataclass(frozen=True, slots=True)
class ClassVotes:
    """Votes so far. ``weights`` {object id: presence, summed over frames}; ``votes`` {object id:
    {name: presence times probability, summed}}."""

    weights: Mapping[int, float] = field(default_factory=dict)
    votes: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    def with_frame(self, seen: Mapping[int, SeenClass]) -> ClassVotes:
        """The same with another frame's {object id: what it was called}."""
        weights, votes = dict(self.weights), dict(self.votes)
        for object_id, one in seen.items():
            weights[object_id] = weights.get(object_id, 0.0) + one.presence
            before = votes.get(object_id, {})
            now = before.get(one.name, 0.0) + one.presence * one.prob
            votes[object_id] = {**before, one.name: now}
        return ClassVotes(weights, votes)

    def named(self) -> dict[int, VotedClass]:
        """{object id: its class} of the objects for which one name has enough of the votes."""
        found = {}
        for object_id, votes in sorted(self.votes.items()):
            name, vote = max(votes.items(), key=lambda item: item[1])
            weight = self.weights[object_id]
            if weight > 0 and vote / weight >= ENOUGH:
                found[object_id] = VotedClass(name, round(min(1.0, vote / weight), 6))
        return found
