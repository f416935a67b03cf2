"""The formats of image files that are read, and the suffixes by which they are known."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from PIL import Image

USUAL_FORMATS = {
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF", "HEIF", "JXL", "PPM"),
}
"""The formats that data sets hold; they are tried before all others."""
REFUSED_FORMATS = {
    *("EPS", "WMF"),  # programs: EPS would start Ghostscript
    *("BUFR", "GRIB", "HDF5", "MPEG"),  # Pillow knows them, but decodes none
    *("FPX", "MIC", "IM", "IMT", "IPTC", "MCIDAS", "SPIDER", "XVTHUMB"),  # no suffix, or no mark
}
"""The formats of Pillow that are not read."""
LAST_FORMAT = "TGA"
"""A format without a mark of its own, which would take others for its own."""
PLUGINS = {"HEIF": "pillow_heif", "JXL": "pillow_jxl"}
"""The modules of the extra `heic` that read a format, where they are installed."""
SUFFIXES_OF_UNREAD = {
    "HEIC": (".heic", ".heics", ".heif", ".heifs", ".hif"),
    "JPEG XL": (".jxl",),
    "AVIF": (".avif", ".avifs"),
}
"""The suffixes of formats for which another package may be missing."""
HOW_TO_READ = {
    "HEIC": "pip install 'mllmaug-tui[heic]' reads HEIC",
    "JPEG XL": "pip install 'mllmaug-tui[heic]' reads JPEG XL",
    "AVIF": "a newer Pillow reads AVIF",
}
"""What to do about such a format."""
CONTENT_OF_UNREAD = {
    "AVIF": re.compile(rb"....ftypavi[fs]", re.DOTALL),
    "HEIC": re.compile(rb"....ftyp(hei|hev|mif1|msf1)", re.DOTALL),
    "JPEG XL": re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "),
}
"""How the files of such a format start."""
USUAL_START = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*", re.DOTALL
)
"""How JPEG, PNG, GIF, WebP and TIFF files start."""


def register_plugins() -> None:
    """Let Pillow use the modules that are installed for further formats."""
    for module in PLUGINS.values():
        if find_spec(module) is not None:
            with suppress(ImportError):  # such as one made for another Pillow: as if not installed
                plugin = import_module(module)
                if module == "pillow_heif":
                    plugin.register_heif_opener()


@cache
def image_formats() -> list[str]:
    """Return Pillow's names of the formats that are read, in the order in which they are tried."""
    # Only now: what Pillow reads belongs to the program that imports us, such as a training script.
    Image.init()
    register_plugins()
    known = Image.OPEN.keys() - REFUSED_FORMATS - {LAST_FORMAT}
    return [*sorted(known & USUAL_FORMATS), *sorted(known - USUAL_FORMATS), LAST_FORMAT]


@cache
def image_suffixes() -> frozenset[str]:
    """Return the suffixes of these formats, with their dot and in lower case."""
    formats = {*image_formats(), "MPO"}  # which the reader of JPEG opens
    known = Image.registered_extensions().items()
    return frozenset(suffix for suffix, name in known if name in formats)


@cache
def unread_suffixes() -> dict[str, str]:
    """Return the formats that lack a package on this machine, by their suffixes."""
    return {
        suffix: name
        for name, suffixes in SUFFIXES_OF_UNREAD.items()
        for suffix in suffixes
        if suffix not in image_suffixes()
    }


def unread_format(data: bytes) -> str | None:
    """Return the format of an image file that a further package would read, by its content."""
    found = (name for name, start in CONTENT_OF_UNREAD.items() if start.match(data))
    return next(found, None)


def looks_like_image(data: bytes) -> bool:
    """Return True if data start as files of the most usual formats do."""
    return USUAL_START.match(data) is not None
