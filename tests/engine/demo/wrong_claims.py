"""What a caption says of a scene that is not true."""

from __future__ import annotations

from engine.demo.scenes import Scene
from engine.demo.truth_check import Claim, find_claims


def wrong_claims(caption: str, scene: Scene) -> list[Claim]:
    """Return the claims of a caption that are not true."""
    return [claim for claim in find_claims(caption, scene) if not claim.holds]
