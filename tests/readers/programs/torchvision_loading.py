"""torchvision, also where its compiled operators cannot be loaded beside this torch.

Its import fails then at two operators of object detection, which open_clip does not use.
"""

from __future__ import annotations

import torch

library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
"""It must live as long as the process: its operators vanish with it."""


def declare_operators() -> None:
    """Declare, without code, the operators that torchvision's import asks for."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in ("nms", "qnms"):
            library.define(  # type: ignore[no-untyped-call]
                f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
