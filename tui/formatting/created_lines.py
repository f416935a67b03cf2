"""The remarks about a project that was just made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.utils.plurals import plural
from tui.formatting.report_lines import report_lines

if TYPE_CHECKING:
    from engine.operations.new_project import CreatedProject


def created_lines(created: CreatedProject) -> Iterator[str]:
    """Yield what a person should look at: what was left out or is missing, repeats, bad images."""
    yield from report_lines(created.report)
    if created.scores_originals:
        yield "no model captions: the original captions alone are scored"
    if created.images_present < created.images_checked:
        yield (
            f"{created.images_present:,} of the first {created.images_checked:,} images were found"
        )
    if created.outside:
        yield (
            f"{created.outside:,} image paths lead out of the image root and will fail, such as"
            f" {created.outside_example}: --allow-outside permits them"
        )
    servers = (
        "a server gets them, as you allow"
        if created.outside_allowed
        else "a server gets none of them without --allow-outside"
    )
    if created.leaving:
        yield (
            f"{plural(created.leaving, 'image path')} outside the image root, such as"
            f" {created.leaving_example}: {servers}"
        )
    for key, count in created.lacking_texts.items():
        yield (
            f"{plural(count, 'record')} without a text under {key!r}, which a prompt needs: that"
            " model captions none of them"
        )
    same = created.duplicates
    if same.extra:
        yield (
            f"{plural(same.extra, 'repeat')} of the image path of an earlier record, kept in order;"
            f" {plural(same.paths, 'path')} more than once, such as {same.example}"
        )
    images = created.images
    if images.links:
        yield (
            f"of {plural(images.images, 'image')} opened, links lead {images.links:,} out of the"
            f" image root, such as {images.link_example}: {servers}"
        )
    if images.bad:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(images.bad.items()))
        yield (
            f"of {plural(images.images, 'image')} opened, {images.bad.total():,} cannot be"
            f" captioned ({kinds}), such as {images.example}"
        )
