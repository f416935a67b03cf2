"""The devices of this machine and its memory.

Process: supervisor, worker and, to list devices, the commands and the application.
May import: `db.rows`, `engine.utils`, pynvml, psutil.
Must never: import torch, which costs seconds and holds memory on a GPU.
"""
