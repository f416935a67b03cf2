"""The model families, one module per family with `load(checkpoint, settings, device, report)`.

Process: the worker, which imports one family by the name that `registry` gives; commands that check
a checkpoint (`parity`) and the training of demo models.
May import: `captioners.{generation,registry,checkpoints,preprocessing,settings,base}`,
`captioners.{config_files,errors}`, `images`.
Must never: import another family, or a scorer. Families share `spliced`; `otter_model` and
`qwen_tokenizer` are parts of the family that they are named after.
"""

from __future__ import annotations

import os

# Read when the Hub's client is imported, by any family: whatever a checkpoint names, nothing is
# fetched. A launcher sets it for its workers, too.
os.environ["HF_HUB_OFFLINE"] = "1"
