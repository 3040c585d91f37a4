"""Tiny random encoders of every family, as transformers makes them, and as a folder of models/weights."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from finser.encoders.byol_s import Net

SIZE = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
FRONT = {"conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}  # as the large models, and those after them
WHISPER = {
    "d_model": 32,
    "encoder_layers": 3,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 64,
    "vocab_size": 50,
    "num_mel_bins": 80,
    "max_source_positions": 100,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
KINDS = {  # name -> family, class in transformers, options
    "wav2vec2": ("wav2vec2", "Wav2Vec2", {**SIZE, **FRONT}),
    "wav2vec2_large": ("wav2vec2", "Wav2Vec2", {**SIZE, **FRONT, **LARGE}),
    "hubert": ("hubert", "Hubert", {**SIZE, **FRONT}),
    "hubert_large": ("hubert", "Hubert", {**SIZE, **FRONT, **LARGE}),
    "wavlm": ("wavlm", "WavLM", {**SIZE, **FRONT}),
    "wavlm_large": ("wavlm", "WavLM", {**SIZE, **FRONT, **LARGE}),
    "data2vec": ("data2vec", "Data2VecAudio", {**SIZE, **FRONT, "num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 5}),
    "whisper": ("whisper", "Whisper", WHISPER),
}


def published(name: str) -> torch.nn.Module:
    """Return a random model of transformers, in evaluation mode; its parameters have a spread that makes layers differ."""
    _, kind, options = KINDS[name]
    with torch.random.fork_rng():
        torch.manual_seed(sorted(KINDS).index(name))
        model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**options))
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.data += 0.05 * torch.randn_like(parameter)
    return model.eval()


def write(folder: Path, name: str, **preprocessor: object) -> torch.nn.Module | None:
    """Write models/weights/NAME of a random encoder, as the stage `fetch_weights` does; return transformers' model of it."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "byol_s":
        family, config, model = "byol_s", {}, None
        with torch.random.fork_rng():
            torch.manual_seed(3)
            tensors = Net().state_dict()
    else:
        family, model = KINDS[name][0], published(name)
        config, tensors = model.config.to_dict(), (model.encoder if name == "whisper" else model).state_dict()
    save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, folder / "model.safetensors")
    about = {**config, "family": family, "preprocessor": {"do_normalize": True} | preprocessor, "origin": {}}
    (folder / "config.json").write_text(json.dumps(about, indent=2) + "\n")
    return model


def clip(n_samples: int, seed: int = 0) -> np.ndarray:
    """Return a clip that starts and ends loud, so that nothing is trimmed: int16 at 22,050 Hz."""
    rng = np.random.default_rng(seed)
    return (8000 * np.sin(np.cumsum(rng.uniform(0.05, 0.2, n_samples))) + rng.normal(0, 500, n_samples)).astype(np.int16)
