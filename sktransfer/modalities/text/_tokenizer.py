"""From texts to token ids; a text's ids do not depend on its neighbours or on threads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import xxhash

from sktransfer.exceptions import BackboneError

if TYPE_CHECKING:
    import torch

# Characters tokenized first per token that is wanted. Words have about 5 characters per token.
_CHARACTERS = 64

# Words before a cut whose tokens the cut may change; a tokenizer looks at one, at most two.
_MARGIN = 8


class TextTokenizer:
    """A fast tokenizer that keeps no state between calls.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        ``backend_tokenizer`` of a fast transformers tokenizer. It is copied: the settings of the
        original (truncation, padding) are neither used nor changed.
    pad_id : int
        Id of the padding token.
    prefix : str
        Prompt put before every text.
    lower : bool
        Whether texts are lower-cased first.
    prompts : mapping of str to str, optional
        Prompts to choose from, by name, where none of them is put before every text.
    fill : int
        Number of tokens to which shorter texts are filled up with padding that the network sees.
    fill_left : bool
        Whether that padding precedes the text.

    Attributes
    ----------
    pad_id, prompts
        As given.
    n_tokens : int
        Number of ids.
    digest : str
        Digest of everything that decides the ids, 32 hexadecimal digits.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        pad_id: int,
        prefix: str = "",
        lower: bool = False,
        prompts: Mapping[str, str] | None = None,
        fill: int = 0,
        fill_left: bool = False,
    ) -> None:
        self._tokenizer = type(tokenizer).from_str(tokenizer.to_str())
        if getattr(self._tokenizer.model, "dropout", None):
            raise BackboneError(
                "The tokenizer splits words at random (dropout), so a text has no fixed tokens. "
                'Set "dropout" to null in its tokenizer.json.'
            )
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._specials = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._prefix = prefix
        self._lower = lower
        self._fill, self._fill_left = fill, fill_left
        self.pad_id = pad_id
        self.prompts = dict(prompts or {})
        self.n_tokens = max(self._tokenizer.get_vocab().values(), default=-1) + 1
        filling = f" {fill} {fill_left}" if fill else ""
        content = f"{pad_id} {prefix!r} {lower}{filling} {self._tokenizer.to_str()}"
        self.digest = xxhash.xxh3_128_hexdigest(content.encode())

    @classmethod
    def from_dict(cls, packed: Mapping[str, Any]) -> TextTokenizer:
        """Return the tokenizer that `to_dict` has described.

        Raises
        ------
        BackboneError
            If it is damaged.
        """
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_str(packed["json"])
            return cls(tokenizer, **{name: packed[name] for name in packed if name != "json"})
        except Exception as error:  # the library raises bare exceptions
            raise BackboneError(f"A tokenizer is damaged: {error}.") from error

    def to_dict(self) -> dict[str, Any]:
        """Return everything that `from_dict` needs, as plain JSON."""
        return {
            "json": self._tokenizer.to_str(),
            "pad_id": self.pad_id,
            "prefix": self._prefix,
            "lower": self._lower,
            "fill": self._fill,
            "fill_left": self._fill_left,
        }

    def encode(self, texts: Sequence[str], max_length: int) -> list[list[int]]:
        """Return the token ids of each text, special tokens included, at most `max_length`."""
        return [self.encode_start(text, max_length)[0] for text in texts]

    def encode_start(
        self, text: str, max_length: int, prompt: str | None = None
    ) -> tuple[list[int], bool]:
        """Return the token ids of the start of a text, and whether that is the whole text.

        Parameters
        ----------
        text : str
            The text.
        max_length : int
            Maximum number of tokens, special tokens and those of the prompt included.
        prompt : str, optional
            Put before the text in place of the tokenizer's prefix.

        Raises
        ------
        BackboneError
            If there is no room for text.
        """
        room = self._room(max_length)
        encoding = self._pieces(self._whole(text, prompt), room)
        is_whole = len(encoding) <= room
        # Not by the tokenizer's own truncation: that is a setting of the shared object, and
        # another thread may need another length.
        encoding.truncate(room)
        return self._finished(encoding), is_whole

    def encode_chunks(
        self, text: str, max_length: int, prompt: str | None = None
    ) -> list[list[int]]:
        """Return the token ids of all of a text, in chunks of similar length.

        Each chunk has the special tokens and the prompt of a text. It ends before a word, if one
        starts in its last quarter; else before a character, or any token.

        Parameters
        ----------
        text, max_length, prompt
            See `encode_start`; the length is that of a chunk.
        """
        room = self._room(max_length)
        content = self._whole(text, prompt)
        encoding = self._tokens(content)
        ids, whole = encoding.ids, self._finished(encoding)
        if len(ids) <= room:
            return [whole]
        # A token that holds the space after the prompt and the first word is one of the text.
        end = len(self._whole("", prompt).rstrip())
        head = sum(start < end for start, _ in encoding.offsets)
        room = self._room_beside(head, max_length)
        at = next(i for i in range(len(whole)) if whole[i : i + len(ids)] == ids)
        before, after = whole[: at + head], whole[at + len(ids) :]
        ends = _chunk_ends(encoding, content, head, room)
        return [self._filled([*before, *ids[i:j], *after]) for i, j in pairwise(ends)]

    def check_words(self, max_length: int) -> None:
        """Raise if texts of this length have no room for words, or are filled up with padding.

        Raises
        ------
        BackboneError
            With the reason.
        """
        if self._fill:
            raise BackboneError(
                f"The network of this tokenizer sees texts filled up to {self._fill} tokens, and "
                "gives no vectors of words. Use an encoder such as all-MiniLM-L6-v2."
            )
        before, _, _, after = self.encode_words("")
        self._room_beside(len(before) + len(after) - self._specials, max_length)

    def encode_words(
        self, text: str
    ) -> tuple[list[int], list[int], list[tuple[int, int]], list[int]]:
        """Return all tokens of a text with their places in it.

        Returns
        -------
        before, ids : list of int
            Special tokens and those of the prefix; and the tokens of the text.
        offsets : list of tuple of int
            Start and end of each token of the text, in characters.
        after : list of int
            Special tokens.
        """
        content = self._prefix + text
        if self._lower:  # each character for itself, so that none changes its place
            content = "".join(c.lower() if len(c.lower()) == 1 else c for c in content)
        encoding = self._tokens(content)
        ids, offsets = encoding.ids, encoding.offsets
        whole = self._finished(encoding)
        shift = len(self._prefix)
        head = sum(end <= shift for _, end in offsets) if shift else 0
        at = next((i for i in range(len(whole)) if whole[i : i + len(ids)] == ids), 0)
        places = [(max(0, start - shift), end - shift) for start, end in offsets[head:]]
        return whole[: at + head], ids[head:], places, whole[at + len(ids) :]

    def check_prompt(self, max_length: int, prompt: str | None) -> None:
        """Raise if a prompt leaves no room for text, or is no text itself.

        Raises
        ------
        BackboneError
            With the number of its tokens, or its part that is no text.
        """
        try:
            self._whole("", prompt).encode()
        except UnicodeEncodeError as error:
            raise BackboneError(
                f"The prompt {error.object!r} holds a lone surrogate at position {error.start}, "
                "which is no character. Remove it."
            ) from error
        if whole := self._whole("", prompt):
            self._room_beside(len(self._tokens(whole)), max_length)

    @property
    def mask_id(self) -> int | None:
        """Id of the mask token; None if there is none."""
        found = [self._tokenizer.token_to_id(token) for token in ("[MASK]", "<mask>")]
        return next((number for number in found if number is not None), None)

    @property
    def special_ids(self) -> set[int]:
        """Ids of the special tokens, such as those at both ends of a text."""
        added = self._tokenizer.get_added_tokens_decoder()
        special = {number for number, token in added.items() if token.special}
        return {*special, *self._tokenizer.encode("").ids, self.pad_id}

    def collate(self, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Return ``input_ids`` and ``attention_mask``, int64 (n, tokens), padded on the right."""
        import torch

        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        mask = torch.arange(max(map(len, rows), default=0)) < lengths[:, None]
        ids = torch.full(mask.shape, self.pad_id, dtype=torch.int64)
        ids[mask] = torch.tensor([*chain.from_iterable(rows)], dtype=torch.int64)
        return {"input_ids": ids, "attention_mask": mask.long()}

    def _room(self, max_length: int) -> int:
        room = max_length - self._specials
        if room < 1:
            raise BackboneError(
                f"max_length={max_length} leaves no room for text: this tokenizer adds "
                f"{self._specials} tokens of its own."
            )
        return room

    def _room_beside(self, n_prompt_tokens: int, max_length: int) -> int:
        room = self._room(max_length) - n_prompt_tokens
        if room < 1:
            raise BackboneError(
                f"max_length={max_length} leaves no room for text beside the prompt, which has "
                f"{n_prompt_tokens} tokens, and {self._specials} special tokens."
            )
        return room

    def _whole(self, text: str, prompt: str | None) -> str:
        whole = (self._prefix if prompt is None else prompt) + text
        return whole.lower() if self._lower else whole

    def _finished(self, encoding: Any) -> list[int]:
        """Return the ids with special tokens."""
        # A tokenizer without special tokens may give no token, and no token has no mean.
        return self._filled(self._tokenizer.post_process(encoding).ids or [self.pad_id])

    def _filled(self, ids: list[int]) -> list[int]:
        padding = [self.pad_id] * (self._fill - len(ids))
        return padding + ids if self._fill_left else ids + padding

    def _pieces(self, text: str, room: int) -> Any:
        """Tokenize as much of the text as decides its first `room` tokens.

        A tokenizer splits a text into words, then each word into tokens, so a cut changes only
        the last words before it.
        """
        end = _CHARACTERS * room
        while end < len(text):
            encoding = self._tokens(text[:end])
            words = encoding.word_ids
            if len(words) > room and words[room - 1] + _MARGIN <= words[-1]:
                return encoding
            end *= 2
        return self._tokens(text)

    def _tokens(self, text: str) -> Any:
        # One by one: the threads that a batch would use are no faster at these lengths, and some
        # versions of the library then print a warning at every fork.
        return self._tokenizer.encode(text, add_special_tokens=False)


def _chunk_ends(encoding: Any, text: str, start: int, room: int) -> list[int]:
    """Return the numbers of the tokens between which chunks of at most `room` tokens are."""
    words, offsets, ends = encoding.word_ids, encoding.offsets, [start]

    def starts_word(i: int) -> bool:
        # Some tokenizers take a whole text for one word; its tokens begin with the spaces of it.
        return words[i] != words[i - 1] or text[offsets[i][0] : offsets[i][0] + 1].isspace()

    def starts_character(i: int) -> bool:
        return offsets[i][0] >= offsets[i - 1][1]

    while (rest := len(words) - ends[-1]) > room:
        size = math.ceil(rest / math.ceil(rest / room))
        last_quarter = range(ends[-1] + size, ends[-1] + size - size // 4 - 1, -1)
        found = chain(filter(starts_word, last_quarter), filter(starts_character, last_quarter))
        ends.append(next(found, ends[-1] + size))
    return [*ends, len(words)]
