"""Tiny random models that write texts, in folders of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf

from tests.backbones._huggingface_folders import TEXT_CONFIGS, WORDS, tokenizer

_BOTH: dict[str, Any] = {
    "vocab_size": 40,
    "d_model": 32,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "bos_token_id": 0,
    "decoder_start_token_id": 1,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 64,
    "init_std": 0.5,
}

REWRITING: dict[str, Any] = {
    "bart": lambda: hf.BartForConditionalGeneration(hf.BartConfig(**_BOTH)),
    "m2m_100": lambda: hf.M2M100ForConditionalGeneration(hf.M2M100Config(**_BOTH)),
    "marian": lambda: hf.MarianMTModel(hf.MarianConfig(**_BOTH)),
    "mbart": lambda: hf.MBartForConditionalGeneration(hf.MBartConfig(**_BOTH)),
    "pegasus": lambda: hf.PegasusForConditionalGeneration(hf.PegasusConfig(**_BOTH)),
    "t5": lambda: hf.T5ForConditionalGeneration(
        hf.T5Config(
            vocab_size=40,
            d_model=32,
            d_kv=8,
            d_ff=48,
            num_layers=2,
            num_heads=4,
            relative_attention_num_buckets=8,
            pad_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
            initializer_factor=2.0,
        )
    ),
}
CONTINUING = (
    *("bloom", "falcon", "gemma2", "gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "opt"),
    *("phi", "qwen2"),
)


def save_writer(kind: str, folder: Path, **special: Any) -> Path:
    """Write a random model with a word-level tokenizer, and return the folder."""
    torch.manual_seed(3)
    if kind in REWRITING:
        model = REWRITING[kind]()
    else:
        model = hf.AutoModelForCausalLM.from_config(TEXT_CONFIGS[kind]())
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape)
    model.save_pretrained(folder)
    tokenizer(**special).save_pretrained(folder)
    return folder


def by_transformers(folder: Path, texts: list[str], **options: Any) -> list[str]:
    """Return what transformers itself writes, text by text."""
    continues = hf.AutoConfig.from_pretrained(folder).is_encoder_decoder is not True
    kind = hf.AutoModelForCausalLM if continues else hf.AutoModelForSeq2SeqLM
    model, words = kind.from_pretrained(folder).eval(), hf.AutoTokenizer.from_pretrained(folder)
    found = []
    for text in texts:
        inputs = words(text, return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            ids = model.generate(**inputs, do_sample=False, pad_token_id=1, **options)[0]
        ids = ids[inputs["input_ids"].shape[1] :] if continues else ids
        found.append(words.decode(ids, skip_special_tokens=True).strip())
    return found


TRANSLATORS = ("nllb", "mbart", "mbart50")


def save_translator(kind: str, folder: Path) -> Path:
    """Write a random model of many languages, with its own tokenizer, and return the folder."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", *"</s>mabtdelphgUn_L", *WORDS]
    pieces = list(dict.fromkeys(pieces))
    if kind == "nllb":
        words = hf.NllbTokenizer({piece: place for place, piece in enumerate(pieces)}, [])
    else:
        start = [*pieces, *([] if kind == "mbart" else ["en_XX", "de_DE", "fr_XX"])]
        name = {"mbart": hf.MBartTokenizer, "mbart50": hf.MBart50Tokenizer}[kind]
        words = name([(piece, -1.0) for piece in start])
    words.save_pretrained(folder)
    torch.manual_seed(3)
    config = {**_BOTH, "vocab_size": len(words), "decoder_start_token_id": 2}
    if kind == "nllb":
        model = hf.M2M100ForConditionalGeneration(hf.M2M100Config(**config))
    else:
        model = hf.MBartForConditionalGeneration(hf.MBartConfig(**config))
    model.get_input_embeddings().weight.data[len(pieces) :] *= 0.2  # writes few languages
    model.save_pretrained(folder)
    return folder
