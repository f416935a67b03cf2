"""Opening, checking and decoding the images of a data set, in files and in tars.

Runs in every process that looks at pictures: workers, commands, the application's threads and
training scripts. It may import `utils`. It must never import torch, a captioner or a project.
"""

from engine.images.image import open_image

__all__ = ["open_image"]
