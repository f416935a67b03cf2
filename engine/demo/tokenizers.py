"""The demo models' tokenizers, with a vocabulary of few words, in each family's own file format.

Each `save_*` function returns the number of tokens.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY_SIZE = 420
"""Tokens of a byte-pair vocabulary: the 256 bytes and enough merges for the words of scenes."""
SENTENCEPIECE_EXTRA = 150
"""Further tokens of a SentencePiece vocabulary, which has characters besides the bytes."""


def save_sentencepiece(corpus: Iterable[str], symbols: Iterable[str], folder: Path) -> int:
    """Write `tokenizer.model` as Vicuna has it: byte-pair pieces, unknown text as bytes.

    Each of `symbols` is one piece and is never merged with its neighbours.
    """
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        model_type="bpe",
        vocab_size=VOCABULARY_SIZE + SENTENCEPIECE_EXTRA,
        byte_fallback=True,
        user_defined_symbols=list(symbols),
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        add_dummy_prefix=True,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    config = special | {"tokenizer_class": "LlamaTokenizer", "clean_up_tokenization_spaces": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return int(processor.vocab_size())


def train_byte_pairs(corpus: Iterable[str], special: Iterable[str]) -> Tokenizer:
    """Train a byte-level byte-pair tokenizer with these special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[AddedToken(token, special=True) for token in special],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def save_neox(corpus: Iterable[str], folder: Path) -> int:
    """Write `tokenizer.json` as MPT has it (GPT-NeoX): byte-level byte pairs."""
    tokenizer = train_byte_pairs(corpus, ("<|endoftext|>", "<|padding|>"))
    tokenizer.save(str(folder / "tokenizer.json"))
    end = "<|endoftext|>"
    config = {
        "tokenizer_class": "GPTNeoXTokenizer",
        "bos_token": end,
        "eos_token": end,
        "unk_token": end,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return int(tokenizer.get_vocab_size())


def save_tiktoken(corpus: Iterable[str], path: Path) -> int:
    """Write `qwen.tiktoken`: a byte string in base64 and its rank per line, single bytes first."""
    tokenizer = train_byte_pairs(corpus, ())
    alphabet = byte_of_character()
    # The trainer numbers tokens in the order in which pairs were merged: that is their rank.
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    ranked = [bytes(alphabet[character] for character in piece) for piece, _ in pieces]
    ranked.sort(key=lambda piece: len(piece) > 1)
    path.write_bytes(
        b"".join(
            base64.b64encode(piece) + b" " + str(rank).encode() + b"\n"
            for rank, piece in enumerate(ranked)
        )
    )
    return len(ranked)


def byte_of_character() -> dict[str, int]:
    """Return the byte for each character by which byte-level tokenizers write it.

    Printable bytes are written as they are, the others as characters from 256 on.
    """
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {
        chr(256 + i): byte for i, byte in enumerate(hidden)
    }
