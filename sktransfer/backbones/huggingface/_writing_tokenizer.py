"""Tokenizers of models that write texts."""

from __future__ import annotations

import difflib
import re
import threading
import unicodedata
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from sktransfer.backbones._weights import described
from sktransfer.exceptions import BackboneError

# Without a limit in the files of a folder.
_NO_LIMIT = 1 << 20
# Tokens of languages: "eng_Latn" of NLLB, "en_XX" of mBART, "__en__" of M2M100.
_LANGUAGE = re.compile(r"(__)?(?P<code>[a-z]{2,10}(_[A-Z][A-Za-z]{1,3})?)(__)?")


class WritingTokenizer:
    """A tokenizer of transformers, fast or slow, that keeps no state between calls.

    Parameters
    ----------
    folder : Path
        Where its files are.
    pads_left : bool
        Whether rows are padded in front, as models need it that continue a text.

    Attributes
    ----------
    longest : int or None
        Number of tokens that its files state.
    has_chat : bool
        Whether it has a chat template.
    languages : dict of str to int
        The token of each language, by code; empty if it does not mark the language of a text.
    """

    def __init__(self, folder: Path, *, pads_left: bool) -> None:
        from transformers import AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # damaged files, missing ones, or a missing library
            reason = described(error)
            if "sentencepiece" in reason.lower() and find_spec("sentencepiece") is None:
                reason = "it needs sentencepiece: pip install 'sktransfer[translation]'"
            raise BackboneError(
                f"The tokenizer in {str(folder)!r} cannot be used: {reason}."
            ) from error
        found = self._tokenizer.pad_token_id
        self.pad_id = 0 if found is None else found
        stated = int(self._tokenizer.model_max_length)
        self.longest = stated if stated < _NO_LIMIT else None
        self.has_chat = bool(self._tokenizer.chat_template)
        self.languages = _languages_of(self._tokenizer)
        self._usual_language = getattr(self._tokenizer, "src_lang", None)
        self._special = _special_in(self._tokenizer)
        self._pads_left = pads_left
        # Slow tokenizers switch between two vocabularies.
        self._lock = threading.Lock()

    def ids(self, text: str, chat: bool, language: str | None = None) -> list[int]:
        """Return the tokens of a text in a language, or of a chat that begins with it."""
        with self._lock:
            if self.languages:
                self._tokenizer.src_lang = language or self._usual_language
            if chat:
                text = self._chat(text)
            return self._tokenizer(text, add_special_tokens=not chat, verbose=False)["input_ids"]

    def without_control(self, text: str) -> str:
        """Return a text in which nothing is read as a special token, such as ``</s>``.

        A space is put after the first character: the switch of transformers,
        ``split_special_tokens``, has no effect in vocabularies such as that of T5, which hold
        special tokens among others.
        """
        for form in (text, unicodedata.normalize("NFKC", text)):  # as tokenizers normalize
            if self._special.search(form):
                text = self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", form)
        return text

    def check_language(self, parameter: str, code: str, name: str) -> None:
        """Refuse the code of a language that the model of a name does not have."""
        if not self.languages:
            raise BackboneError(
                f"{parameter}={code!r}, and {name!r} does not mark languages. Set it to None; some "
                "models read them in prompt, such as '>>fra<< ' or 'translate English to French: '."
            )
        if code not in self.languages:
            near = [known for known in self.languages if known[:2] == code[:2].lower()]
            near = near or difflib.get_close_matches(code, self.languages, cutoff=0.5)
            shown = ", ".join(map(repr, (near or [*self.languages])[:5]))
            raise BackboneError(
                f"{parameter}={code!r} is none of the {len(self.languages)} languages of {name!r}, "
                f"which has {shown}{' and others' if len(self.languages) > 5 else ''}."
            )

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, without the special ones."""
        with self._lock:
            return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def collate(self, rows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        """Return ``input_ids`` and ``attention_mask``, int64 (n, tokens)."""
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self.pad_id)
        mask = torch.zeros_like(ids)
        for place, row in enumerate(rows):
            part = slice(width - len(row), width) if self._pads_left else slice(len(row))
            ids[place, part] = torch.tensor(row, dtype=torch.int64)
            mask[place, part] = 1
        return {"input_ids": ids, "attention_mask": mask}

    def _chat(self, text: str) -> str:
        messages = [{"role": "user", "content": text}]
        try:
            # The date of the day would give other texts tomorrow; templates may do without it.
            template = self._tokenizer.get_chat_template().replace("strftime_now", "date_of_today")
            return self._tokenizer.apply_chat_template(
                messages, chat_template=template, tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # whatever a template raises
            raise BackboneError(
                f"The chat template of the model cannot be used: {described(error)}. Set "
                "chat=False, and write what the model expects around a text in prompt."
            ) from error


def _languages_of(tokenizer: Any) -> dict[str, int]:
    """Return the token of each language by its code; none if a tokenizer cannot mark them."""
    if not isinstance(getattr(type(tokenizer), "src_lang", None), property):
        return {}
    own = getattr(tokenizer, "lang_code_to_token", {}).values()  # M2M100's are not always special
    names = sorted({*tokenizer.all_special_tokens, *own})
    found = filter(None, map(_LANGUAGE.fullmatch, names))
    return {match["code"]: tokenizer.convert_tokens_to_ids(match[0]) for match in found}


def _special_in(tokenizer: Any) -> re.Pattern[str]:
    """Return a pattern that finds special tokens of a tokenizer in a text."""
    added = (str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
    names = {name for name in (*tokenizer.all_special_tokens, *added) if len(name) > 1}
    patterns = [*map(re.escape, sorted(names, key=len, reverse=True))]
    if hasattr(tokenizer, "supported_language_codes"):  # of MarianMT, such as ">>fra<<"
        patterns.append(">>(?=.*<<)")
    return re.compile("|".join(patterns) or r"(?!)")
