"""How much of a picture the processor of a checkpoint keeps: the settings of pixels and tiles.

They are set where the processor has them from its file, as `from_pretrained(FOLDER, max_pixels=N)`
sets them.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

from engine.captioners.base import CheckpointError
from engine.captioners.settings import Settings

TILE_COUNTS = {"max_patches": "min_patches", "max_tiles": "min_tiles", "max_slice_nums": ""}
"""What image processors call the most tiles of a picture, each with the name of the fewest.

Pix2Struct's and Gemma 4's `max_patches` have no fewest, and count something else.
"""


GRIDS = "image_grid_pinpoints"
"""What LLaVA-NeXT's kind calls the (height, width) in pixels of each grid of tiles."""


def limit_pictures(processor: Any, settings: Settings) -> None:
    """Set the limits of a checkpoint's processor that the settings name.

    Raises `CheckpointError` for a limit that it does not take.
    """
    if settings.min_pixels is not None or settings.max_pixels is not None:
        limit_pixels(processor.image_processor, settings.min_pixels, settings.max_pixels)
    if settings.max_tiles is not None:
        limit_tiles(processor.image_processor, settings.max_tiles)


def limit_pixels(images: Any, least: int | None, most: int | None) -> None:
    """Set the pixels of an image processor of Qwen-VL's kind; None leaves what its file says."""
    size = sizes(images)
    # Elsewhere these are lengths of edges.
    if not hasattr(images, "merge_size") or not size.keys() >= {"shortest_edge", "longest_edge"}:
        raise CheckpointError(
            f"its image processor, {type(images).__name__}, takes no min_pixels and no max_pixels:"
            " it resizes pictures in another way; set both to none"
        )
    least = size["shortest_edge"] if least is None else least
    most = size["longest_edge"] if most is None else most
    if least > most:
        raise CheckpointError(
            f"its image processor would enlarge pictures to {least:,} pixels and reduce them to"
            f" {most:,}: set min_pixels below max_pixels"
        )
    images.size = type(images.size)(shortest_edge=least, longest_edge=most)


def limit_tiles(images: Any, most: int) -> None:
    """Set the most tiles of an image processor. A thumbnail of the whole is not counted."""
    known = getattr(type(images), "valid_kwargs", None)
    taken = getattr(known, "__annotations__", {})
    for name, fewest in TILE_COUNTS.items():
        if name in taken and (not fewest or fewest in taken):
            if fewest and getattr(images, fewest, 1) > most:
                raise CheckpointError(
                    f"its image processor cuts pictures into at least"
                    f" {getattr(images, fewest)} tiles: set max_tiles to that or more, or to none"
                )
            setattr(images, name, most)
            return
    if GRIDS in taken:
        limit_grids(images, most)
        return
    tile = getattr(images, "max_image_size", None)
    size = sizes(images)
    if isinstance(tile, dict) and "longest_edge" in tile and "longest_edge" in size:
        # Idefics 3 and SmolVLM cut a picture into tiles of this edge once it has its size.
        longest = tile["longest_edge"] * isqrt(most)
        images.size = type(images.size)(longest_edge=min(size["longest_edge"], longest))
        return
    raise CheckpointError(
        f"its image processor, {type(images).__name__}, takes no max_tiles: set it to none"
    )


def limit_grids(images: Any, most: int) -> None:
    """Keep the grids of an image processor of LLaVA-NeXT's kind that have so many tiles or less."""
    size = sizes(images)
    side = size.get("shortest_edge") or size["height"]
    tiles = {
        (height, width): (height // side) * (width // side)
        for height, width in getattr(images, GRIDS)
    }
    kept = [list(grid) for grid, count in tiles.items() if count <= most]
    if not kept:
        raise CheckpointError(
            f"its image processor cuts pictures into at least {min(tiles.values())} tiles: set"
            " max_tiles to that or more, or to none"
        )
    setattr(images, GRIDS, kept)


def share_grids(processor: Any, config: Any) -> None:
    """Tell a model the grids of its processor, for it puts the tiles together again."""
    grids = getattr(processor.image_processor, GRIDS, None)
    if grids is not None and hasattr(config, GRIDS):
        setattr(config, GRIDS, grids)


def sizes(images: Any) -> dict[str, int]:
    """Return the size that an image processor brings pictures to, by the names of its parts."""
    size = getattr(images, "size", None) or {}
    return {key: value for key, value in dict(size).items() if value is not None}
