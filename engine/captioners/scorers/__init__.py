"""The models that score captions: a CLIP or SigLIP (`contrastive`), a captioner's yes (`vqa`).

Process: the worker, which imports one of them by the name that `registry` gives; commands that
check a checkpoint.
May import: `captioners.{families,generation,registry,checkpoints,preprocessing,settings,base}`,
`captioners.{config_files,errors}`, `images`.
Must never: write a caption, or know where captions come from.

`docs/quality.md` says what the scores mean, and what they cannot see.
"""
