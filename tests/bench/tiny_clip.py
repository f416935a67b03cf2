"""A CLIP of half a million parameters for drawn scenes, and recall at 1 with it.

Images and texts of a batch are told apart as by CLIP (Radford et al. 2021, arXiv 2103.00020,
figure 3). The image side is a small convolutional net, the text side a transformer of two layers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

SIDE = 48
"""Pixels a side of the pictures that the model sees."""
MARGIN = 4
"""Pixels by which pictures in training are larger on each side: another square of them is seen each
time, as with CLIP, or noisy captions would be learned by heart."""
LENGTH = 40
"""Tokens of a text that the model reads: the demo models' raw captions have up to 45."""
WIDTH = 96
"""Width of the text side, and of what is compared."""
START = 1
"""The number that stands for the start of a text."""
PEAK = 1e-3
"""The highest learning rate."""
WARMUP = 0.1
"""Share of the steps in which the learning rate grows."""
TEMPERATURE = 0.07
"""Of the softmax at the beginning: CLIP's own."""
MAX_SCALE = 100
"""What similarities are multiplied with at most: CLIP's own."""

NextBatch = Callable[[], tuple[Tensor, list[str]]]
"""Returns the pictures of a batch in uint8, (B, 3, H, H) with H = SIDE + 2 * MARGIN, and their
captions."""


def words_of(text: str) -> list[str]:
    """Return the words, digits and signs of a text."""
    return re.findall(r"[^\W\d_]+|\d|[^\w\s]", text.lower())


class Vocabulary:
    """The words of a training, and their numbers; 0 stands for no word, 1 for the start of a text.

    Other words are passed over: a CLIP on real data has read all of its tokens, and here one that
    was never trained would be noise.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        words = sorted({word for text in texts for word in words_of(text)})
        self.numbers = {word: number for number, word in enumerate(words, start=START + 1)}

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Return the numbers of the known words of each text, (texts, LENGTH or fewer)."""
        rows = [
            [START, *(self.numbers[word] for word in words_of(text) if word in self.numbers)]
            for text in texts
        ]
        length = min(LENGTH, max(map(len, rows)))
        return torch.tensor([(row + [0] * length)[:length] for row in rows])


class TinyClip(nn.Module):
    """Pictures and texts as vectors of length 1."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        channels = (3, 32, 64, 128, 128)
        self.image_side = nn.Sequential()
        for before, after in pairwise(channels):
            convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            self.image_side.extend([convolution, nn.BatchNorm2d(after), nn.ReLU()])
        features = channels[-1] * (SIDE // 2 ** (len(channels) - 1)) ** 2
        self.image_side.extend([nn.Flatten(), nn.Linear(features, WIDTH)])
        self.words = nn.Embedding(len(vocabulary.numbers) + START + 1, WIDTH, padding_idx=0)
        self.places = nn.Parameter(torch.zeros(LENGTH, WIDTH))
        for weight in (self.words.weight, self.places):
            nn.init.normal_(weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            WIDTH, 4, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.text_side = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.text_end = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH))
        self.scale = nn.Parameter(torch.tensor(math.log(1 / TEMPERATURE)))

    def images(self, pictures: Tensor) -> Tensor:
        """Return the vectors of pictures in uint8, (B, 3, SIDE, SIDE), of the shape (B, WIDTH)."""
        return normalize(self.image_side(pictures.float() / 127.5 - 1), dim=-1)

    def texts(self, texts: Sequence[str]) -> Tensor:
        """Return the vectors of texts, of the shape (texts, WIDTH)."""
        tokens = self.vocabulary.tokens(texts)
        absent = tokens == 0
        hidden = self.words(tokens) + self.places[: tokens.shape[1]]
        hidden = self.text_side(hidden, src_key_padding_mask=absent)
        present = (~absent).float()[..., None]
        return normalize(self.text_end((hidden * present).sum(1) / present.sum(1)), dim=-1)


def train(vocabulary: Vocabulary, next_batch: NextBatch, steps: int, seed: int) -> TinyClip:
    """Return a model that was trained for so many steps."""
    torch.manual_seed(seed)
    model = TinyClip(vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), PEAK, weight_decay=0.1)
    for step in range(steps):
        grown = min(1.0, (step + 1) / max(1, steps * WARMUP))
        for group in optimizer.param_groups:
            group["lr"] = PEAK * grown * (1 + math.cos(math.pi * step / steps)) / 2
        pictures, texts = next_batch()
        logits = model.images(random_squares(pictures)) @ model.texts(texts).T
        logits = logits * model.scale.exp().clamp(max=MAX_SCALE)
        labels = torch.arange(len(texts))
        loss = (cross_entropy(logits, labels) + cross_entropy(logits.T, labels)) / 2
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.eval()


def random_squares(pictures: Tensor) -> Tensor:
    """Return another part of each picture, (B, 3, SIDE, SIDE)."""
    places = torch.randint(0, 2 * MARGIN + 1, (len(pictures), 2)).tolist()
    parts = zip(pictures, places, strict=True)
    return torch.stack([it[:, y : y + SIDE, x : x + SIDE] for it, (x, y) in parts])


@torch.inference_mode()
def recall(model: TinyClip, pictures: Tensor, texts: Sequence[str]) -> tuple[float, float]:
    """Return R@1 image to text and text to image, of pictures and their texts in the same order."""
    similar = model.images(pictures[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]) @ model.texts(texts).T
    own = torch.arange(len(texts))
    to_text = (similar.argmax(1) == own).float().mean()
    to_image = (similar.argmax(0) == own).float().mean()
    return to_text.item(), to_image.item()
