"""Tiny random models of every family, as their publishers' libraries save them, and a hub that serves them."""

import json
from pathlib import Path

import pytest
import torch

from finser.config.params import Params
from finser.config.sections.fetch import Synthetic

from .fake_hub import hub

CORPORA = ("ravdess", "crema_d", "tess", "savee", "esd")
SPEECH = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 3, 3),
    "conv_stride": (5, 2, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
QUANTIZED = {"codevector_dim": 16, "proj_codevector_dim": 16, "num_codevectors_per_group": 4}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 32,
    "vocab_size": 60,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
}
MODELS = {  # family -> classes of transformers, from the encoder alone to one with all kinds of further tensors; options
    "wav2vec2": (("Wav2Vec2Model", "Wav2Vec2ForPreTraining", "Wav2Vec2ForCTC", "Wav2Vec2ForSequenceClassification"), SPEECH | QUANTIZED),
    "hubert": (("HubertModel", "HubertForCTC", "HubertForSequenceClassification"), SPEECH),
    "wavlm": (("WavLMModel", "WavLMForCTC", "WavLMForSequenceClassification"), SPEECH),
    "data2vec": (("Data2VecAudioModel", "Data2VecAudioForCTC"), SPEECH | {"num_conv_pos_embeddings": 3}),
    "whisper": (("WhisperModel", "WhisperForConditionalGeneration", "WhisperForAudioClassification"), WHISPER),
}
KINDS = [(family, name) for family, (names, _) in MODELS.items() for name in names]


def save(folder: Path, family: str, name: str, *, pickled: bool = False, **options) -> Path:
    """Write a random model as `save_pretrained` does; `pickled`: as older versions of torch and transformers did."""
    import transformers

    torch.manual_seed(7)
    kind = getattr(transformers, name)
    model = kind(kind.config_class(**{**MODELS[family][1], **options}))
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.1)
    model.eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16_000}))
    if pickled:
        (folder / "model.safetensors").unlink()
        old = {".parametrizations.weight.original0": ".weight_g", ".parametrizations.weight.original1": ".weight_v"}
        tensors = {}
        for key, tensor in model.state_dict().items():
            suffix = next((new for new in old if key.endswith(new)), "")
            tensors[key.removesuffix(suffix) + old.get(suffix, "")] = tensor
        torch.save(tensors, folder / "pytorch_model.bin")
    return folder


@pytest.fixture(scope="session")
def wav2vec2(tmp_path_factory) -> dict[str, bytes]:
    """The files of a published wav2vec 2.0, by name."""
    folder = save(tmp_path_factory.mktemp("wav2vec2"), "wav2vec2", "Wav2Vec2ForPreTraining")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def pickled(tmp_path_factory) -> dict[str, bytes]:
    """The same as a pickle."""
    folder = save(tmp_path_factory.mktemp("pickled"), "wav2vec2", "Wav2Vec2ForPreTraining", pickled=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """An empty folder, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def served(project, monkeypatch):
    """A hub that this process talks to, with an empty cache."""
    from huggingface_hub import constants

    with hub() as server:
        for name, value in {
            "ENDPOINT": server.address,
            "HUGGINGFACE_CO_URL_TEMPLATE": server.address + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(project / "cache"),
            "HF_TOKEN_PATH": str(project / "token"),
            "HF_HUB_DISABLE_XET": True,
            "HF_HUB_OFFLINE": False,
        }.items():
            monkeypatch.setattr(constants, name, value)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
        yield server


def with_weights(**sections: dict) -> Params:
    """Parameters with sections of fetch_weights."""
    return Params(fetch=dict.fromkeys(CORPORA, Synthetic()), fetch_weights=sections)
