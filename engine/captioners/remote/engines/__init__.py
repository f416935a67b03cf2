"""Servers that a worker starts for a checkpoint: the family `server`.

`commands` has the command line of each engine, `server_process` is one server from its start to its
end, `captioner` asks it as any other server.

Process: the worker; commands that check or try a model.
May import: `captioners.remote`, what that may import, `engine.process.keeper`.
Must never: import torch or a family; hand anything to a shell; start what the settings do not say
(whether they may say it is decided in `engine.project.own_commands`).
"""
