"""Turning images and prompts into model inputs: squares of pixels, token ids.

Process: the worker; commands that try a model; the training of demo models.
May import: `captioners.{settings,base,address,config_files,errors}`, `engine.images`,
`engine.utils`.
Must never: import a family or read weights.
"""
