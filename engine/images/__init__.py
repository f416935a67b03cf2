"""Opening, checking and decoding the images of a data set, in files, tars and tables.

Process: every process that opens images: workers, commands, the application's threads and training
scripts; the supervisor uses it to find the image root again.
May import: `protocol`, for the rows of images that failed, `utils` and Pillow; pyarrow only when a
table holds an image.
Must never: import torch, a captioner or a project.
"""

from engine.images.image import open_image

__all__ = ["open_image"]
