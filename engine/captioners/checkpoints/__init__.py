"""Checkpoints: which files a folder must have, reading weights, and filling a model with them.

Process: the worker; commands that check or try a model; the training of demo models. The supervisor
and the application use `layouts` only.
May import: `captioners.{settings,base,address,config_files,errors}`, `engine.hardware`,
`engine.utils`.
Must never: import a family; execute code from a checkpoint (pickles are read as weights only); or
import torch in `layouts`.
"""
