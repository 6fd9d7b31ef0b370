"""Tokenizers of the kinds that real models have, trained here on random texts; and texts to try them on."""

import json
from functools import lru_cache
from random import Random
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

KINDS = ("byte_level", "byte_level_gpt2", "sentence_piece", "word_piece", "characters")
WORDS = (
    "the",
    "sum",
    "of",
    "two",
    "numbers",
    "is",
    "héllo",
    "naïve",
    "数学",
    "答案",
    "🙂",
    "👩‍👩‍👧",
    "Ω≈ç",
    "x1",
    "3.14",
    "Step",
    "1:",
)
SEPARATORS = ("\n", "\n\n", ".\n", ".\n\n", " \n", "!\n\n\n", ". ", " ; ", "\t\n", "?\r\n", "\n\n  ")
QWEN_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""The pattern by which Qwen2 splits a text before its BPE (Llama 3's is much the same).

Punctuation and the line breaks after it stay together, so that one token can hold both."""


def random_text(rng: Random) -> str:
    """Return a text of words, numbers, other scripts and separators; it may be empty."""
    parts = []
    for _ in range(rng.randint(0, 9)):
        parts += [" ".join(rng.choices(WORDS, k=rng.randint(1, 5))), rng.choice(SEPARATORS)]
    return "".join(parts)


def training_texts() -> list[str]:
    """Return texts without some of the characters of `WORDS`, so that these get no tokens of their own."""
    rng = Random("corpus")
    return [random_text(rng).replace("数学", "ab").replace("👩‍👩‍👧", "ok") for _ in range(400)]


@lru_cache
def tokenizer_of(kind: str) -> Any:
    """Return a transformers tokenizer of one of `KINDS`, with an end token and three added tokens."""
    if kind == "byte_level":
        tokenizer, unknown = _byte_level(QWEN_PATTERN), None
    elif kind == "byte_level_gpt2":
        tokenizer, unknown = _byte_level(None), None
    elif kind == "sentence_piece":
        tokenizer, unknown = _sentence_piece(), None
    elif kind == "word_piece":
        tokenizer, unknown = _word_piece(), "[UNK]"
    elif kind == "characters":
        tokenizer, unknown = _characters(), "<unk>"
    else:
        raise ValueError(f"{kind!r} is not a kind of tokenizer; the kinds are {', '.join(KINDS)}")
    tokenizer.add_special_tokens([AddedToken("<eos>", special=True), AddedToken("<|im_end|>", special=True)])
    tokenizer.add_tokens([AddedToken("<extra_0>", special=False), AddedToken("</think>", special=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<eos>",
        unk_token=unknown,
        clean_up_tokenization_spaces=False,
    )


# The stubs of `tokenizers` declare the parts of a tokenizer without setters, hence pyright's complaints below.


def _byte_level(pattern: str | None) -> Tokenizer:
    """Train a BPE on bytes that splits texts by a pattern first; None = GPT-2's pattern."""
    tokenizer = Tokenizer(models.BPE())
    if pattern is None:
        splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        splitter = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    tokenizer.pre_tokenizer = splitter  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(training_texts(), trainer)
    return tokenizer


def _sentence_piece() -> Tokenizer:
    """Make a BPE like Llama 2's: spaces are written as `▁`, one precedes the text, and unknown characters are bytes."""
    latin_texts = [
        text.encode("ascii", "ignore").decode().replace(" ", "▁").replace("\n", "")
        for text in training_texts()
    ]
    without_bytes = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=300, show_progress=False)
    without_bytes.train_from_iterator(latin_texts, trainer)
    # The trainer knows no byte tokens. Put them before the pieces that it learned, as in Llama 2's vocabulary.
    learned = json.loads(without_bytes.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].get)
    vocabulary = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    tokenizer = Tokenizer(
        models.BPE(
            {piece: i for i, piece in enumerate(vocabulary)},
            [tuple(pair) for pair in learned["merges"]],
            byte_fallback=True,
            unk_token="<unk>",
            fuse_unk=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def _word_piece() -> Tokenizer:
    """Train a tokenizer like BERT's, whose texts can't be recovered from its ids."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.WordPiece()  # pyright: ignore[reportAttributeAccessIssue]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]"], show_progress=False)
    tokenizer.train_from_iterator(training_texts(), trainer)
    return tokenizer


def _characters() -> Tokenizer:
    """Make a tokenizer with one token per character of the training texts."""
    characters = sorted({character for text in training_texts() for character in text})
    vocabulary = {character: i for i, character in enumerate(["<unk>", *characters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.Fuse()  # pyright: ignore[reportAttributeAccessIssue]
    return tokenizer


def character_tokenizer(*special: str) -> Any:
    """Return a tokenizer with one token per printable ASCII character, and the given special tokens."""
    tokens = ["<unk>", "<eos>", *(chr(code) for code in range(32, 127))]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.Fuse()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>", unk_token="<unk>")
