"""A proxy: small trainings of open_clip, which ask on some images which captions help.

Process: commands.
May import: `datasets`, `project`, `images`, `utils`, the database.
Must never: start a training or an evaluation; import torch.
"""
