"""The layers of a model, found by the names and shapes of the tensors in its files.

So it works for every family and for types of model that nobody has listed: a tensor of a layer has
the layer's number in its name, whatever stands around it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from engine.captioners.checkpoints.weight_size import find_weights
from engine.captioners.checkpoints.weights import read_file
from engine.captioners.errors import CheckpointError

LAYER = re.compile(r"(.*?)\.(\d+)\.(.*)")
"""What stands before the number of a layer, the number, and the name inside of the layer."""
EXPERT = re.compile(r"(.*\bexperts)\.\d+\.(.*)")
ATTENTION = re.compile(r"attn|attention|qkv|[qkvo]_proj", re.IGNORECASE)
"""What is in the name of a matrix of attention."""
HEAD_ROWS = 4096
"""Rows of the output layer by which its numbers are judged."""
KEYS_AND_VALUES = re.compile(r"(?:^|[._])(?:k|v|key|value|kv|k_proj|v_proj)(?:_proj)?\.weight$")
VISION = re.compile(
    r"vis|vit\b|image|img|clip|vq|^blocks\b|q-?former|perceiver|resampler"
    r"|projector|merger|connector",
    re.IGNORECASE,
)
"""What is in the name of a tensor that an image goes through before the language model."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of a layer."""

    name: str
    inputs: int
    outputs: int
    is_attention: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Layers of one shape, one behind the other."""

    prefix: str
    """What stands before the layers' numbers in the names of their tensors."""
    layers: int
    matrices: tuple[Matrix, ...]
    """Those of a usual layer through which each token goes."""
    active: int
    """The parameters in matrices through which a token goes, in all layers."""
    parameters: int
    """All of them, in all layers: of experts, too, that a token does not go through."""

    @property
    def width(self) -> int:
        """The numbers that stand for a token between two layers."""
        sizes = [matrix.inputs for matrix in self.matrices]
        return max(set(sizes), key=sizes.count) if sizes else 0

    @property
    def is_vision(self) -> bool:
        return VISION.search(self.prefix) is not None

    @property
    def usual_layers(self) -> float:
        """As many layers like the usual one are as much work as all of them."""
        return self.active / max(1, parameters_of(self.matrices))

    @property
    def key_value_width(self) -> int:
        """The numbers that a layer keeps of a token: its keys and values."""
        # What looks at images beside the text keeps nothing of a token.
        own = [it for it in self.matrices if "cross" not in it.name]
        apart = [it for it in own if KEYS_AND_VALUES.search(it.name)]
        if apart:
            return sum(it.outputs for it in apart)
        fused = [it for it in own if it.is_attention and it.outputs > it.inputs]
        return sum(it.outputs - it.inputs for it in fused) or 2 * self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """The parts of a model."""

    text: Stack
    """The layers of the language model."""
    vision: tuple[Stack, ...]
    """All other layers, most parameters first: the vision side, and what stands between the two."""
    vocabulary: int
    parameters: int
    bytes_in_files: int
    """Bytes of all tensors, in the types of the files."""
    sizes: dict[str, tuple[int, ...]]
    """The shape of each tensor that belongs to no layer."""
    logit_scale: float
    """The standard deviation of the logits of random states: it shows random weights, of which no
    token is likelier than others, so that sampling has to look at all of them."""

    @property
    def head(self) -> int:
        """The parameters of the output layer."""
        return self.vocabulary * self.text.width


def read_shape(folder: Path, experts_of_token: int = 0, unread_layers: int = 0) -> ModelShape:
    """Return the shape of the model in a folder and the folders in it. Raises `CheckpointError`.

    `experts_of_token` is the number of experts through which a token goes, 0 if it is not known;
    `unread_layers` are so many last ones of the vision side that are not computed.
    """
    tensors: dict[str, torch.Tensor] = {}
    for file in find_weights(folder):
        tensors |= read_file(file)
    if not tensors:
        raise CheckpointError(f"{folder} holds no weights")
    return shape_of(tensors.items(), experts_of_token, unread_layers)


def shape_of(
    named: Iterable[tuple[str, torch.Tensor]], experts_of_token: int = 0, unread_layers: int = 0
) -> ModelShape:
    """Return the shape of a model with these tensors. Raises `CheckpointError`."""
    layers: dict[str, dict[int, list[tuple[str, torch.Tensor]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    outside: dict[str, torch.Tensor] = {}
    parameters = in_files = 0
    for name, tensor in named:
        parameters += tensor.numel()
        in_files += tensor.numel() * tensor.element_size()
        found = LAYER.fullmatch(name)
        if found is None:
            outside[name] = tensor
        else:
            layers[found[1]][int(found[2])].append((found[3], tensor))
    stacks = [
        make_stack(prefix, by_number, experts_of_token)
        for prefix, by_number in layers.items()
        if any(tensor.dim() > 1 for _, tensor in by_number[max(by_number)])
    ]
    layered = [stack for stack in stacks if stack.matrices]
    texts = [stack for stack in layered if not stack.is_vision] or layered
    if not texts:
        raise CheckpointError("its weights have no layers that are known")
    text = max(texts, key=lambda stack: stack.parameters)
    vision = sorted(
        (stack for stack in stacks if stack is not text), key=lambda it: it.parameters, reverse=True
    )
    if vision and unread_layers < vision[0].layers:
        read = 1 - unread_layers / vision[0].layers
        vision[0] = replace(vision[0], active=round(vision[0].active * read))
    tables = {
        name: it for name, it in outside.items() if it.dim() == 2 and it.shape[1] == text.width
    }
    vocabulary = max((len(it) for it in tables.values()), default=0)
    heads = [it for it in tables.values() if len(it) == vocabulary]
    return ModelShape(
        text=text,
        vision=tuple(vision),
        vocabulary=vocabulary,
        parameters=parameters,
        bytes_in_files=in_files,
        sizes={name: tuple(it.shape) for name, it in outside.items()},
        # The output layer stands behind the embeddings where it is not the same.
        logit_scale=float(heads[-1][:HEAD_ROWS].float().std()) * text.width**0.5 if heads else 0.0,
    )


def make_stack(
    prefix: str, by_number: dict[int, list[tuple[str, torch.Tensor]]], experts_of_token: int
) -> Stack:
    """Return the stack of layers whose tensors have this prefix."""
    # The first layers of some models are of another kind than the rest.
    usual = by_number[sorted(by_number)[len(by_number) // 2]]
    return Stack(
        prefix=prefix,
        layers=len(by_number),
        matrices=tuple(matrices_of(usual, experts_of_token)),
        active=sum(parameters_of(matrices_of(it, experts_of_token)) for it in by_number.values()),
        parameters=sum(it.numel() for layer in by_number.values() for _, it in layer),
    )


def parameters_of(matrices: Iterable[Matrix]) -> int:
    """Return how many parameters matrices have."""
    return sum(it.inputs * it.outputs for it in matrices)


def matrices_of(layer: list[tuple[str, torch.Tensor]], experts_of_token: int) -> Iterator[Matrix]:
    """Yield the matrices of a layer through which a token goes."""
    seen: dict[str, int] = defaultdict(int)
    for name, tensor in layer:
        expert = EXPERT.fullmatch(name)
        if expert is not None:
            seen[expert[2]] += 1
            if seen[expert[2]] > max(1, experts_of_token):
                continue
        times = max(1, experts_of_token) if tensor.dim() == 3 and "expert" in name else 1
        if tensor.dim() == 2 or times > 1:
            outputs, inputs = tensor.shape[-2:]
            for _ in range(times):
                yield Matrix(name, inputs, outputs, ATTENTION.search(name) is not None)
