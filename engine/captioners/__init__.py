"""The models that caption, one file per family. `registry` names them without importing torch."""

import logging

# transformers imports torchao wherever that is installed, which then warns of kernels that nobody
# asked for: no user's concern.
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
