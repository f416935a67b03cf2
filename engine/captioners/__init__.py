"""The models that caption or score, behind one interface (`base.LoadedModel`): local, or servers.

Process: the worker loads and runs them; commands that check or try a model, and the training of
demo models, too. The supervisor and the application use `registry`, `settings`, `address` and
`api_keys` only.
May import: `protocol`, `shearing`, `images`, `hardware`, `process`, `utils`.
Must never: import a project, its state or a database; or import torch in `registry` and the modules
that it imports, or in `base`, `remote` and `families.dry_run`.
"""
