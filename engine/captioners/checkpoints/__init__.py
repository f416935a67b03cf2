"""Checkpoints: which files a folder must have and what to do with one of another kind, reading
weights, and filling a model with them.

Process: the worker; commands that check or try a model; the training of demo models. Commands and
the application look at folders with `layouts` and `advice` (and what that imports) only.
May import: `captioners.{settings,base,address,open_models,config_files,errors}`, `engine.hardware`,
`engine.utils`.
Must never: import a family; execute code from a checkpoint (pickles are read as weights only);
fetch anything; or import torch in the modules named above and in `packages`.
"""
