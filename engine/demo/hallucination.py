"""How much of captions is invented, counted on scenes of which the truth is known.

Wrong claims are those of `truth_check`. CHAIR is that of Rohrbach et al. 2018 (arXiv 1809.02156,
3.1): of the objects that captions mention the share that is not in the image (`chair_i`), and the
share of captions that mention one (`chair_s`). The objects of a scene are its two shapes, each with
its colour; what else the demo's models mention (other shapes, people, animals, a sky) is invented.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.demo.continuations import BEINGS, CROWDS
from engine.demo.scenes import Scene
from engine.demo.truth_check import SHAPE, either, find_claims

OBJECT = re.compile(rf"\b(?:{SHAPE}|{either(['sky', *CROWDS, *BEINGS])})\b", re.IGNORECASE)
"""A mention of an object."""


@dataclass(slots=True, kw_only=True)
class Hallucination:
    """Counts over captions."""

    captions: int = 0
    claims: int = 0
    """Claims that can be checked."""
    wrong_claims: int = 0
    objects: int = 0
    """Mentions of objects."""
    invented: int = 0
    """Mentions of objects that are not in the image."""
    inventive: int = 0
    """Captions with such a mention."""

    def add(self, caption: str, scene: Scene) -> None:
        """Count a caption of a scene."""
        claims = find_claims(caption, scene)
        names = (scene.first.name, scene.second.name)
        objects = [match[0].lower() for match in OBJECT.finditer(caption)]
        invented = sum(name not in names for name in objects)
        self.captions += 1
        self.claims += len(claims)
        self.wrong_claims += sum(not claim.holds for claim in claims)
        self.objects += len(objects)
        self.invented += invented
        self.inventive += invented > 0

    @property
    def wrong_claims_a_caption(self) -> float | None:
        """The number of wrong claims, the mean; None without a caption."""
        return self.wrong_claims / self.captions if self.captions else None

    @property
    def chair_i(self) -> float | None:
        """The share of mentioned objects that are invented; None where none is mentioned."""
        return self.invented / self.objects if self.objects else None

    @property
    def chair_s(self) -> float | None:
        """The share of captions that mention an invented object; None without a caption."""
        return self.inventive / self.captions if self.captions else None
