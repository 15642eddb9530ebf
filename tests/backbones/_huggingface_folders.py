"""Tiny random Hugging Face models on disk, one per family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers as hf

WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
]

_TEXT: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
    "initializer_range": 0.2,
}
_DECODER = {**_TEXT, "bos_token_id": 0, "eos_token_id": 2}
_GROUPED = {**_DECODER, "num_key_value_heads": 2, "head_dim": 8}
_T5 = {
    "vocab_size": 40,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 3,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "pad_token_id": 1,
    "initializer_factor": 0.5,
}
_DISENTANGLED = {
    **_TEXT,
    "relative_attention": True,
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": False,
}
_PATCHES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.2,
}
_TOWERS = {
    "vision_config": _PATCHES,
    "text_config": {**_TEXT, "projection_dim": 8, "eos_token_id": 2},
}

TEXT_CONFIGS: dict[str, Any] = {
    "bert": lambda: hf.BertConfig(**_TEXT),
    "camembert": lambda: hf.CamembertConfig(**_TEXT),
    "deberta": lambda: hf.DebertaConfig(**_DISENTANGLED),
    "deberta-v2": lambda: hf.DebertaV2Config(
        **_DISENTANGLED, position_buckets=8, norm_rel_ebd="layer_norm", conv_kernel_size=3
    ),
    "distilbert": lambda: hf.DistilBertConfig(
        vocab_size=40,
        dim=32,
        n_layers=3,
        n_heads=4,
        hidden_dim=48,
        pad_token_id=1,
        max_position_embeddings=64,
        initializer_range=0.2,
    ),
    "electra": lambda: hf.ElectraConfig(**_TEXT, embedding_size=16),
    "modernbert": lambda: hf.ModernBertConfig(
        **_TEXT, global_attn_every_n_layers=2, local_attention=8
    ),
    "mpnet": lambda: hf.MPNetConfig(**_TEXT),
    "roberta": lambda: hf.RobertaConfig(**_TEXT),
    "xlm-roberta": lambda: hf.XLMRobertaConfig(**_TEXT),
    "albert": lambda: hf.AlbertConfig(**_TEXT, embedding_size=16, num_hidden_groups=3),
    "ernie": lambda: hf.ErnieConfig(**_TEXT),
    "eurobert": lambda: hf.EuroBertConfig(**_TEXT),
    "jina_embeddings_v3": lambda: hf.JinaEmbeddingsV3Config(**_TEXT),
    "longformer": lambda: hf.LongformerConfig(**_TEXT, attention_window=8),
    "mt5": lambda: hf.MT5Config(**_T5),
    "nomic_bert": lambda: hf.NomicBertConfig(**_TEXT),
    "t5": lambda: hf.T5Config(**_T5),
    "umt5": lambda: hf.UMT5Config(**_T5),
    "xlm-roberta-xl": lambda: hf.XLMRobertaXLConfig(**_TEXT),
    "bloom": lambda: hf.BloomConfig(**_DECODER),
    "falcon": lambda: hf.FalconConfig(**_DECODER),
    "gemma": lambda: hf.GemmaConfig(**_GROUPED),
    "gemma2": lambda: hf.Gemma2Config(**_GROUPED, sliding_window=8),
    "gemma3_text": lambda: hf.Gemma3TextConfig(**_GROUPED, sliding_window=8),
    "gpt2": lambda: hf.GPT2Config(**_DECODER),
    "gpt_neo": lambda: hf.GPTNeoConfig(
        **_DECODER, attention_types=[[["global", "local", "global"], 1]], window_size=8
    ),
    "gpt_neox": lambda: hf.GPTNeoXConfig(**_DECODER),
    "granite": lambda: hf.GraniteConfig(**_GROUPED),
    "llama": lambda: hf.LlamaConfig(**_GROUPED),
    "mistral": lambda: hf.MistralConfig(**_GROUPED, sliding_window=8),
    "modernbert-decoder": lambda: hf.ModernBertDecoderConfig(
        **_DECODER, global_attn_every_n_layers=2, local_attention=8
    ),
    "olmo2": lambda: hf.Olmo2Config(**_GROUPED),
    "opt": lambda: hf.OPTConfig(**_DECODER, ffn_dim=48, word_embed_proj_dim=32),
    "phi": lambda: hf.PhiConfig(**_GROUPED),
    "phi3": lambda: hf.Phi3Config(**_GROUPED),
    "qwen2": lambda: hf.Qwen2Config(**_GROUPED),
    "qwen3": lambda: hf.Qwen3Config(**_GROUPED),
    "smollm3": lambda: hf.SmolLM3Config(**_GROUPED),
    "clip_text_model": lambda: hf.CLIPTextConfig(**_DECODER),
    "siglip_text_model": lambda: hf.SiglipTextConfig(**_TEXT),
}
_CONV = {"hidden_sizes": [8, 16, 32], "depths": [1, 2, 1]}
IMAGE_CONFIGS: dict[str, Any] = {
    "clip": lambda: hf.CLIPConfig(**_TOWERS, projection_dim=8),
    "clip_vision_model": lambda: hf.CLIPVisionConfig(**_PATCHES),
    "convnext": lambda: hf.ConvNextConfig(**_CONV, num_stages=3),
    "convnextv2": lambda: hf.ConvNextV2Config(**_CONV, num_stages=3),
    "deit": lambda: hf.DeiTConfig(**_PATCHES),
    "dinov2": lambda: hf.Dinov2Config(**_PATCHES, mlp_ratio=2),
    "dinov2_with_registers": lambda: hf.Dinov2WithRegistersConfig(
        **_PATCHES, mlp_ratio=2, num_register_tokens=2
    ),
    "dinov3_vit": lambda: hf.DINOv3ViTConfig(**_PATCHES, num_register_tokens=2),
    "resnet": lambda: hf.ResNetConfig(**_CONV, embedding_size=8, layer_type="basic"),
    "siglip": lambda: hf.SiglipConfig(**_TOWERS),
    "siglip_vision_model": lambda: hf.SiglipVisionConfig(**_PATCHES),
    "swin": lambda: hf.SwinConfig(
        embed_dim=8,
        depths=[1, 2, 1],
        num_heads=[1, 2, 4],
        image_size=64,
        patch_size=4,
        window_size=4,
        initializer_range=0.2,
    ),
    "vit": lambda: hf.ViTConfig(**_PATCHES),
}
# The convolutions are those of the published models, so that lengths are, too.
_SPEECH: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "initializer_range": 0.2,
}
_STABLE = {**_SPEECH, "feat_extract_norm": "layer", "conv_bias": True, "do_stable_layer_norm": True}
_SPECTRUM = {
    "hidden_size": 32,
    "spec_size": 64,
    "num_mel_bins": 16,
    "window_size": 4,
    "patch_embeds_hidden_size": 8,
    "depths": [1, 2, 1],
    "num_attention_heads": [1, 2, 4],
    "projection_dim": 8,
}
_WHISPER = hf.WhisperFeatureExtractor(feature_size=20, chunk_length=2)
_CLAP = {
    "feature_size": 16,
    "sampling_rate": 16_000,
    "hop_length": 160,
    "max_length_s": 2,
    "frequency_max": 8_000,
}


def _clap(fuses: bool) -> Any:
    audio = {**_SPECTRUM, "enable_fusion": fuses}
    return hf.ClapConfig(audio_config=audio, text_config=_TEXT, projection_dim=8)


def _waveform(**settings: Any) -> Any:
    return hf.Wav2Vec2FeatureExtractor(return_attention_mask=True, **settings)


# Models of sounds by name: their config, and their feature extractor.
AUDIO: dict[str, tuple[Any, Any]] = {
    "audio-spectrogram-transformer": (
        lambda: hf.ASTConfig(**_PATCHES | {"patch_size": 16}, num_mel_bins=32, max_length=96),
        lambda: hf.ASTFeatureExtractor(num_mel_bins=32, max_length=96),
    ),
    "clap": (
        lambda: _clap(False),
        lambda: hf.ClapFeatureExtractor(**_CLAP, truncation="rand_trunc"),
    ),
    "clap fusion": (lambda: _clap(True), lambda: hf.ClapFeatureExtractor(**_CLAP)),
    "clap_audio_model": (
        lambda: hf.ClapAudioConfig(**_SPECTRUM),
        lambda: hf.ClapFeatureExtractor(**_CLAP, truncation="rand_trunc", padding="pad"),
    ),
    "clap_audio_model projected": (
        lambda: hf.ClapAudioConfig(**_SPECTRUM, enable_fusion=True),
        lambda: hf.ClapFeatureExtractor(**_CLAP),
    ),
    "hubert": (lambda: hf.HubertConfig(**_SPEECH), lambda: _waveform(do_normalize=False)),
    "hubert stable": (lambda: hf.HubertConfig(**_STABLE), _waveform),
    "hubert batch norm": (
        lambda: hf.HubertConfig(**_SPEECH, conv_pos_batch_norm=True),
        _waveform,
    ),
    "wav2vec2": (lambda: hf.Wav2Vec2Config(**_SPEECH), _waveform),
    "wav2vec2 stable": (lambda: hf.Wav2Vec2Config(**_STABLE), _waveform),
    "wav2vec2 layer": (
        lambda: hf.Wav2Vec2Config(**_SPEECH, feat_extract_norm="layer"),
        _waveform,
    ),
    "wavlm": (lambda: hf.WavLMConfig(**_SPEECH), lambda: _waveform(do_normalize=False)),
    "wavlm stable": (lambda: hf.WavLMConfig(**_STABLE), _waveform),
    "whisper": (
        lambda: hf.WhisperConfig(
            vocab_size=40,
            d_model=32,
            num_mel_bins=20,
            encoder_layers=3,
            decoder_layers=2,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            max_source_positions=100,
            max_target_positions=32,
            init_std=0.2,
            **dict.fromkeys(
                ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"), 1
            ),
        ),
        lambda: _WHISPER,
    ),
}


def build(kind: str) -> Any:
    """Return a random model; parameters initialized to zero or one are randomized too."""
    torch.manual_seed(len(kind))
    config = AUDIO[kind][0]() if kind in AUDIO else (TEXT_CONFIGS | IMAGE_CONFIGS)[kind]()
    stem = type(config).__name__.removesuffix("Config")
    encoder = f"{stem}EncoderModel" if kind in ("mt5", "t5", "umt5") else f"{stem}Model"
    encoder += "WithProjection" if kind.endswith(" projected") else ""
    model = getattr(hf, encoder)(config).eval()
    for parameter in model.parameters():
        parameter.data += 0.02 * torch.randn(parameter.shape)
    return model


def tokenizer(**special: str) -> Any:
    """Return a word-level tokenizer with RoBERTa's special tokens, and more of them by keyword."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    names = ["<s>", "<pad>", "</s>", "<unk>", *WORDS]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokens.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=50,
        **special,
    )


def save(kind: str, folder: Path) -> Any:
    """Write a random model with its tokenizer or preprocessor, and return it."""
    model = build(kind)
    model.save_pretrained(folder)
    if kind in TEXT_CONFIGS:
        tokenizer().save_pretrained(folder)
    elif kind in AUDIO:
        AUDIO[kind][1]().save_pretrained(folder)
    else:
        size = {"height": side(kind), "width": side(kind)}
        write_json(folder / "preprocessor_config.json", size=size, image_mean=[0.5] * 3)
    return model


def write_json(path: Path, **content: Any) -> None:
    """Write a JSON file, and its folder if missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def side(kind: str) -> int:
    """Return the height and width of a model's input images."""
    return 64 if kind == "swin" else 32


def inputs(kind: str, n: int = 3) -> Any:
    """Return a small batch: images, or texts of different lengths."""
    if kind in IMAGE_CONFIGS:
        generator = torch.Generator().manual_seed(1)
        return torch.randn(n, 3, side(kind), side(kind), generator=generator)
    rows = [
        [0, *(4 + (3 * row + i) % len(WORDS) for i in range(2 + 9 * row)), 2] for row in range(n)
    ]
    width = max(map(len, rows))
    if kind == "siglip_text_model":  # sees its padding, and was trained at one length
        ids = torch.tensor([row + [1] * (64 - len(row)) for row in rows])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return {
        "input_ids": torch.tensor([row + [1] * (width - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows]),
    }
