"""Encoders of every family, saved by transformers in each of its formats, answer after `fetch_weights` as transformers' own do."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from finser import encoders, layout
from finser.encoders.fetch import fetch_weights
from finser.errors import FinserError
from finser.files import checksum, read_json

from .conftest import KINDS, save, with_weights


def fetched(family: str, folder: Path, **options) -> Path:
    """Fetch a local folder or file; return the stage's output."""
    Path("local.yaml").write_text(f"weights: {{given: {folder}}}\n")
    fetch_weights(with_weights(given={"source": "local", "family": family, **options}), "given")
    return layout.weights("given")


def theirs(family: str, folder: Path, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Hidden states of the published model, loaded by transformers; the last one after the norm behind all layers."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder).eval()
    model = model.encoder if family == "whisper" else model
    outputs = model(inputs, output_hidden_states=True)
    return *outputs.hidden_states[:-1], outputs.last_hidden_state


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize(("family", "name"), KINDS)
def test_hidden_states_are_those_of_transformers(project, family, name, pickled):
    folder = save(project / "published", family, name, pickled=pickled)
    encoder = encoders.load(fetched(family, folder))
    inputs = torch.randn(2, 80, 3000) if family == "whisper" else torch.randn(2, 4000)
    counts = torch.full((2,), 480_000 if family == "whisper" else 4000)
    with torch.no_grad():
        own = encoder(inputs.transpose(1, 2) if family == "whisper" else inputs, counts)
        others = theirs(family, folder, inputs)
    assert len(own) == len(others) == encoder.n_layers
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(own, others, strict=True))


def test_an_encoder_without_its_model_is_read_too(project):
    """Whisper's encoder alone, as it is cut from a model: its names have no prefix."""
    folder = save(project / "published", "whisper", "WhisperModel")
    cut = {name.removeprefix("encoder."): tensor for name, tensor in load_file(folder / "model.safetensors").items() if name[:2] == "en"}
    save_file(cut, folder / "model.safetensors")
    kept = load_file(fetched("whisper", folder) / "model.safetensors")
    assert kept.keys() == cut.keys() and all(torch.equal(kept[name], tensor) for name, tensor in cut.items())


def test_half_precision_becomes_float32_and_the_configuration_is_kept(project):
    folder = save(project / "published", "hubert", "HubertModel")
    halves = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(halves, folder / "model.safetensors")
    made = fetched("hubert", folder, licence="its own")
    tensors, config = load_file(made / "model.safetensors"), read_json(made / "config.json")
    assert all(tensor.dtype == torch.float32 and torch.equal(tensor, halves[name].float()) for name, tensor in tensors.items())
    assert config["family"] == "hubert" and config["preprocessor"] == read_json(folder / "preprocessor_config.json")
    assert {key: value for key, value in config.items() if key not in ("family", "preprocessor", "origin")} == read_json(
        folder / "config.json"
    )
    assert config["origin"] == {
        "source": "local",
        "licence": "its own",
        "file": "model.safetensors",
        "sha256": checksum(folder / "model.safetensors"),
        "sha256_from": "recorded, compared with nothing",
    }
    assert sorted(path.name for path in made.iterdir()) == ["config.json", "model.safetensors"]


def test_without_a_preprocessor_nothing_tells_whether_samples_are_normalised(project):
    folder = save(project / "published", "wavlm", "WavLMModel")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(FinserError, match="family wavlm: no preprocessor_config.json, or an empty one; copy the publisher's one"):
        fetched("wavlm", folder)


def test_a_network_that_masks_nothing_drops_the_embedding_of_masks(project):
    folder = save(project / "published", "wavlm", "WavLMModel")
    config = read_json(folder / "config.json") | {"mask_time_prob": 0.0, "mask_feature_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    assert "masked_spec_embed" in load_file(folder / "model.safetensors")
    assert "masked_spec_embed" not in load_file(fetched("wavlm", folder) / "model.safetensors")


def test_byol_s_needs_no_configuration(project):
    net = encoders.build({"family": "byol_s"}).net
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(0, 0.1)
    torch.save(net.state_dict(), project / "checkpoint.pth")
    (project / "config.json").write_text("[]")  # of another file
    made = fetched("byol_s", project / "checkpoint.pth", sha256=checksum(project / "checkpoint.pth"))
    config = read_json(made / "config.json")
    assert set(config) == {"family", "preprocessor", "origin"} and config["origin"]["sha256_from"] == "params.yaml"
    loaded = encoders.load(made).net.state_dict()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("encoder.layer_norm.bias"), "lacks 'encoder.layer_norm.bias'; expected hubert as in config.json"),
        (lambda tensors: tensors.update(other=torch.zeros(1)), "unknown tensor 'other'"),
        (lambda tensors: tensors["encoder.layer_norm.bias"].fill_(torch.inf), "'encoder.layer_norm.bias' is not finite"),
        (lambda tensors: tensors.update({"encoder.layer_norm.bias": torch.zeros(7)}), r"another shape; expected \(32,\), .*; found \(7,\)"),
        (lambda tensors: tensors.clear() or tensors.update(other=torch.zeros(1)), "lacks"),
    ],
)
def test_tensors_are_exactly_those_of_the_configuration(project, change, said):
    folder = save(project / "published", "hubert", "HubertModel")
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(FinserError, match=said):
        fetched("hubert", folder)
    assert not layout.weights("given").exists()


@pytest.mark.parametrize(
    ("file", "values", "said"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling.Model"}}, r"config.json: names code of the repository to run \(auto_map\)"),
        (
            "preprocessor_config.json",
            {"auto_map": {"AutoFeatureExtractor": "m.F"}},
            "preprocessor_config.json: names code of the repository",
        ),
        ("config.json", {"model_type": "wavlm"}, "another architecture; expected model_type hubert; found wavlm"),
        ("preprocessor_config.json", {"sampling_rate": 8000}, "another sampling rate; expected 16000 Hz; found 8000 Hz"),
        ("config.json", {"hidden_size": 33}, "config.json: a configuration that hubert refuses"),
        ("config.json", {"num_hidden_layers": 3}, "lacks 'encoder.layers.2"),
    ],
)
def test_configurations_that_do_not_fit_are_one_line(project, file, values, said):
    folder = save(project / "published", "hubert", "HubertModel")
    (folder / file).write_text(json.dumps(read_json(folder / file) | values))
    with pytest.raises(FinserError, match=said) as caught:
        fetched("hubert", folder)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json: no such file; copy the publisher's one beside the weights"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json: not a JSON object"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights; expected model.safetensors or pytorch_model.bin"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"<html><head><title>x</title>"), "an HTML page"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1"), "a Git LFS pointer"),
        (lambda folder: folder.rename(folder.with_name("moved")), "no such file or folder; correct its path in local.yaml"),
    ],
)
def test_folders_that_lack_something_are_one_line(project, arrange, said):
    arrange(save(project / "published", "hubert", "HubertModel"))
    with pytest.raises(FinserError, match=said):
        fetched("hubert", project / "published")
    assert not layout.weights("given").exists()


def test_a_file_without_tensors_is_one_line(project):
    folder = save(project / "published", "hubert", "HubertModel", pickled=True)
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(FinserError, match="pytorch_model.bin: lacks 'masked_spec_embed'"):
        fetched("hubert", folder)


def test_a_named_file_of_a_folder_is_read(project):
    folder = save(project / "published", "hubert", "HubertModel")
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    assert read_json(fetched("hubert", folder, file="other.safetensors") / "config.json")["origin"]["file"] == "other.safetensors"
    with pytest.raises(FinserError, match="other.safetensors: is a file, and params.yaml names a file of a folder"):
        fetched("hubert", folder / "other.safetensors", file="other.safetensors")
    with pytest.raises(FinserError, match="no weights; expected model.bin"):
        fetched("hubert", folder, file="model.bin")


def test_a_large_model_has_other_normalisations(project):
    """wav2vec 2.0 large and the network that was tuned on MSP-Podcast normalise before each part, with layer norms in the front end."""
    large = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
    folder = save(project / "published", "wav2vec2", "Wav2Vec2ForSequenceClassification", pickled=True, **large)
    encoder, inputs = encoders.load(fetched("wav2vec2", folder)), torch.randn(1, 4000)
    with torch.no_grad():
        own, others = encoder(inputs, torch.tensor([4000])), theirs("wav2vec2", folder, inputs)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(own, others, strict=True))
