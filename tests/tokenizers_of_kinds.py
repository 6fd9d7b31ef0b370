"""Tokenizers of the kinds that models have, trained here on a small text; and texts to try them on."""

import json
from functools import lru_cache
from random import Random
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
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
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""The pre-tokenizer of Qwen2 and Llama 3: punctuation takes the line breaks behind it along."""


def random_text(rng: Random) -> str:
    """A text of words, numbers, other scripts and separators."""
    parts = []
    for _ in range(rng.randint(0, 9)):
        parts += [" ".join(rng.choices(WORDS, k=rng.randint(1, 5))), rng.choice(SEPARATORS)]
    return "".join(parts)


def corpus() -> list[str]:
    """Texts to train on: some scripts only seldom, so that their characters are split over tokens."""
    rng = Random("corpus")
    return [random_text(rng).replace("数学", "ab").replace("👩‍👩‍👧", "ok") for _ in range(400)]


@lru_cache
def tokenizer_of(kind: str) -> Any:
    """Return a tokenizer of transformers with an end token and two added ones."""
    made = {
        "byte_level": lambda: _byte_level(QWEN), "byte_level_gpt2": lambda: _byte_level(None),
        "sentence_piece": _sentence_piece, "word_piece": _word_piece, "characters": _characters,
    }[kind]()  # fmt: skip
    made.add_special_tokens([AddedToken("<eos>", special=True), AddedToken("<|im_end|>", special=True)])
    made.add_tokens([AddedToken("<extra_0>", special=False), AddedToken("</think>", special=False)])
    unknown = {"word_piece": "[UNK]", "characters": "<unk>"}.get(kind)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<eos>", unk_token=unknown, clean_up_tokenization_spaces=False
    )


def _byte_level(pattern: str | None) -> Tokenizer:
    from tokenizers import Regex

    made = Tokenizer(models.BPE())
    if pattern is None:
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    else:
        made.pre_tokenizer = pre_tokenizers.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(False, use_regex=False),
            ]
        )
    made.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        corpus(), trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    )
    return made


def _sentence_piece() -> Tokenizer:
    """As Llama 2's: spaces written as `▁`, one put before the text, bytes for what has no token."""
    trained = Tokenizer(models.BPE())
    latin = [text.encode("ascii", "ignore").decode().replace(" ", "▁").replace("\n", "") for text in corpus()]
    trained.train_from_iterator(latin, trainers.BpeTrainer(vocab_size=300, show_progress=False))
    learned = json.loads(trained.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].get)
    vocabulary = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    made = Tokenizer(models.BPE(
        {piece: i for i, piece in enumerate(vocabulary)}, [tuple(pair) for pair in learned["merges"]],
        byte_fallback=True, unk_token="<unk>", fuse_unk=True,
    ))  # fmt: skip
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])  # pyright: ignore[reportAttributeAccessIssue]
    made.decoder = decoders.Sequence(  # pyright: ignore[reportAttributeAccessIssue]
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return made


def _word_piece() -> Tokenizer:
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=False)  # pyright: ignore[reportAttributeAccessIssue]
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # pyright: ignore[reportAttributeAccessIssue]
    made.decoder = decoders.WordPiece()  # pyright: ignore[reportAttributeAccessIssue]
    made.train_from_iterator(
        corpus(), trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]"], show_progress=False)
    )
    return made


def _characters() -> Tokenizer:
    from tokenizers import Regex

    seen = sorted({c for text in corpus() for c in text})
    made = Tokenizer(models.WordLevel({c: i for i, c in enumerate(["<unk>", *seen])}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")  # pyright: ignore[reportAttributeAccessIssue]
    made.decoder = decoders.Fuse()  # pyright: ignore[reportAttributeAccessIssue]
    return made
