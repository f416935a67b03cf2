"""clip_benchmark's command line, `clip_benchmark`, with the tiny model of `open_clip_trainer`."""

from __future__ import annotations

from tests.readers.programs.open_clip_trainer import add_tiny_model

with add_tiny_model():
    from clip_benchmark.cli import main

    main()
