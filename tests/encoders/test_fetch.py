"""Published weights: from a file or a server, verified, in one format that transformers loads."""

import pickle
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from finser import encoders, layout
from finser.config.params import validate
from finser.config.sections.classifiers import Ast
from finser.encoders.conversion import grid_of
from finser.encoders.fetch import fetch_weights
from finser.encoders.sizes import Size, shapes, size_of
from finser.errors import FinserError
from finser.fetching.http import Patience
from finser.files import checksum, read_json
from finser.models.published import write_adapted

from .conftest import save, with_weights

NAMES = ("given", "here", "imagenet", "audioset")
COMMON = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 256}


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Random models and, per kind, the file that transformers writes of them."""
    import transformers

    torch.manual_seed(5)
    models = {
        "deit": transformers.DeiTForImageClassificationWithTeacher(transformers.DeiTConfig(**COMMON, image_size=224)),
        "ast": transformers.ASTForAudioClassification(transformers.ASTConfig(**COMMON)),
    }
    files = {}
    for kind, model in models.items():
        for parameter in model.parameters():
            parameter.data.normal_(0, 0.1)
        folder = tmp_path_factory.mktemp(kind)
        model.eval().save_pretrained(folder)
        files[kind] = folder / "model.safetensors"
    return models, files


def local(path: Path, family: str, **others: str) -> dict:
    """A section of fetch_weights; local.yaml says where its file lies, whatever its name."""
    Path("local.yaml").write_text("weights:\n" + "".join(f"  {name}: {path}\n" for name in NAMES))
    return {"source": "local", "family": family, "model_size": "nano", "sha256": checksum(path), **others}


@pytest.fixture
def served(project, published):
    """The base address of a server for each kind's folder, and the paths that were asked for."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    root = published[1]["ast"].parents[1]
    Path("served.txt").write_text(str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=root)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def test_an_image_models_weights_answer_a_spectrogram_as_the_image_model_answers_a_grey_image(project, published):
    from transformers import ASTModel

    model, path = published[0]["deit"], published[1]["deit"]
    fetch_weights(with_weights(imagenet=local(path, "deit")), "imagenet")
    converted = ASTModel.from_pretrained(layout.weights("imagenet")).eval()
    spectrogram = torch.randn(2, 224, 224)  # (batch, t, bands)
    image = spectrogram.transpose(1, 2).unsqueeze(1).expand(-1, 3, -1, -1)  # height is frequency
    with torch.no_grad():
        expected = model.deit(image).last_hidden_state
        assert torch.allclose(converted(spectrogram).last_hidden_state, expected, atol=1e-4)


def test_an_asts_weights_are_kept_as_they_are_but_for_the_head(project, published):
    from transformers import ASTModel

    model, path = published[0]["ast"], published[1]["ast"]
    fetch_weights(with_weights(audioset=local(path, "ast")), "audioset")
    kept = ASTModel.from_pretrained(layout.weights("audioset")).state_dict()
    original = model.audio_spectrogram_transformer.state_dict()
    assert kept.keys() == original.keys() and all(torch.equal(kept[name], tensor) for name, tensor in original.items())


def test_it_is_downloaded_once_and_is_what_a_local_file_gives(project, published, served):
    (address, asked), path = served, published[1]["ast"]
    there = local(path, "ast")
    there |= {"source": "download", "address": f"{address}/{path.parent.name}/model.safetensors", "revision": "abc", "licence": "BSD"}
    params = with_weights(here=local(path, "ast"), there=there)
    for name in ("here", "there", "there"):
        fetch_weights(params, name)
    one, two = ((layout.weights(name) / "model.safetensors").read_bytes() for name in ("here", "there"))
    assert one == two and len(asked) == 1
    config = read_json(layout.weights("there") / "config.json")
    recorded = {key: value for key, value in there.items() if key != "family"}
    assert config["family"] == "ast" and config["origin"] == recorded | {"file": "model.safetensors", "sha256_from": "params.yaml"}
    assert str(path) not in (layout.weights("here") / "config.json").read_text()
    assert sorted(path.name for path in layout.weights("here").iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("source", ["local", "download"])
def test_a_wrong_checksum_is_refused_and_nothing_is_kept(project, published, served, source):
    path = published[1]["ast"]
    section = local(path, "ast") | {"sha256": "0" * 64, "source": source}
    if source == "download":
        section |= {"address": f"{served[0]}/{path.parent.name}/model.safetensors", "revision": "abc"}
    with pytest.raises(FinserError, match="wrong sha256; expected 0{64}; found"):
        fetch_weights(with_weights(given=section), "given", Patience(tries=1, pause=0))
    assert not layout.weights("given").exists()


def test_a_pickle_under_another_name_is_not_opened(project):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (project / "harm",))

    path = project / "model.safetensors"
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(FinserError, match="model.safetensors: not a safetensors file"):
        fetch_weights(with_weights(given=local(path, "ast")), "given")
    assert not (project / "harm").exists()


def refused(section: dict) -> str:
    values = with_weights().model_dump() | {"fetch_weights": {"given": section}}
    with pytest.raises(FinserError) as error:
        validate(values)
    return str(error.value)


def test_sections_that_make_no_sense_are_one_line(project, published):
    good = local(published[1]["ast"], "ast")
    download = {"source": "download", "family": "ast", "address": "https://example.org/model.safetensors", "sha256": "0" * 64}
    hub = {"source": "hub", "family": "ast", "repo": "a/b"}
    for section, said in [
        (download | {"address": "https://example.org/model.onnx"}, "'/model.onnx' is no file .safetensors, .bin, .pth or .pt"),
        ({"source": "download", "family": "ast"}, "source download needs address and sha256"),
        (download | {"repo": "a/b", "file": "x.bin"}, "source download has no file and no repo"),
        ({"source": "hub", "family": "ast"}, "source hub needs repo"),
        (hub | {"address": "https://example.org/model.bin"}, "source hub has no address"),
        (hub | {"repo": "b"}, "fetch_weights.given.repo: wrong value"),
        (hub | {"file": "../b.bin"}, "fetch_weights.given.file: wrong value"),
        (hub | {"file": "b.onnx"}, "fetch_weights.given.file: wrong value"),
        ({"source": "local"}, "source local needs family"),
        (good | {"revision": "abc"}, "source local has no revision"),
        (good | {"sha256": "abc"}, "fetch_weights.given.sha256"),
        (good | {"adress": "x"}, "unknown key 'fetch_weights.given.adress'; did you mean 'address'?"),
        (good | {"family": "vit"}, "fetch_weights.given.family: unknown name"),
        ({}, "fetch_weights.given has no source, and 'given' is no name of known weights"),
        (
            {"family": "ast"},
            "a section without source has no family: the table of known weights states it; to use other weights, add source",
        ),
        (good | {"kind": "ast"}, "written for an earlier version of finser (fetch_weights.given.kind); run: finser migrate"),
    ]:
        assert said in refused(section), section


def test_weights_that_nothing_locates_are_one_line(project, published):
    params = with_weights(other=local(published[1]["ast"], "ast"))
    with pytest.raises(FinserError, match=r"local.yaml: contains no path of the weights 'other'; add a line `weights: \{other: PATH\}`"):
        fetch_weights(params, "other")


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"model_size": "tiny"}, "has another shape; expected .*size tiny have"), ({"family": "deit"}, "lacks 'embeddings.cls_token'")],
)
def test_weights_of_another_family_or_size_are_refused(project, published, changed, said):
    with pytest.raises(FinserError, match=said):
        fetch_weights(with_weights(given=local(published[1]["ast"], "ast") | changed), "given")
    assert not layout.weights("given").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("layernorm.bias"), "lacks 'layernorm.bias'"),
        (lambda tensors: tensors.update(other=torch.zeros(1)), "unknown tensor 'other'"),
        (lambda tensors: tensors["layernorm.bias"].fill_(torch.nan), "'layernorm.bias' is not finite"),
        (
            lambda tensors: tensors.update({"embeddings.position_embeddings": torch.zeros(1, 100, 64)}),
            "98 position embeddings",
        ),
    ],
)
def test_tensors_are_exactly_those_expected(project, published, change, said):
    prefix = "audio_spectrogram_transformer."
    tensors = {name.removeprefix(prefix): tensor for name, tensor in load_file(published[1]["ast"]).items()}
    change(tensors)
    save_file(tensors, project / "changed.safetensors")
    with pytest.raises(FinserError, match=said):
        fetch_weights(with_weights(given=local(project / "changed.safetensors", "ast")), "given")


def test_an_encoder_of_an_address_has_its_configuration_beside_it(project, served):
    """What differs on the server is fetched again; an interrupted run keeps what has a checksum."""
    address, asked = served
    root = Path(Path("served.txt").read_text())
    folder = save(root / "hubert", "hubert", "HubertModel", pickled=True)
    path = folder / "pytorch_model.bin"
    section = {"source": "download", "family": "hubert", "address": f"{address}/hubert/{path.name}", "sha256": checksum(path)}
    for rate, patience in ((True, None), (False, None)):
        text = (folder / "preprocessor_config.json").read_text()
        (folder / "preprocessor_config.json").write_text(text.replace("true", str(rate).lower()))
        fetch_weights(with_weights(given=section), "given", patience)
        assert encoders.load(layout.weights("given")).normalised is rate
    assert asked.count(f"/hubert/{path.name}") == 1 and asked.count("/hubert/config.json") == 2
    (folder / "config.json").unlink()
    shutil.rmtree(layout.weights("given"))
    with pytest.raises(FinserError, match="/hubert/config.json: cannot be downloaded .*404"):
        fetch_weights(with_weights(given=section), "given", Patience(tries=1, pause=0))
    assert not layout.weights("given").exists()


def test_a_deit_of_384_pixels_is_the_start_of_an_ast(project, tmp_path):
    """Its 24 x 24 positions, as those of the start of the published AST, are cropped and interpolated to 12 x 101."""
    import transformers
    from transformers import ASTModel

    torch.manual_seed(1)
    model = transformers.DeiTForImageClassificationWithTeacher(transformers.DeiTConfig(**COMMON, image_size=384)).eval()
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.1)
    model.save_pretrained(tmp_path / "published")
    fetch_weights(with_weights(given=local(tmp_path / "published/model.safetensors", "deit")), "given")
    converted = ASTModel.from_pretrained(layout.weights("given")).eval()
    spectrogram = torch.randn(1, 384, 384)  # (batch, t, bands)
    with torch.no_grad():
        expected = model.deit(spectrogram.transpose(1, 2).unsqueeze(1).expand(-1, 3, -1, -1)).last_hidden_state
        assert torch.allclose(converted(spectrogram).last_hidden_state, expected, atol=1e-4)
    write_adapted(layout.weights("given"), Ast(model_size="nano", frames=1024, init="models/weights/given"), tmp_path / "adapted")
    positions = load_file(tmp_path / "adapted")["encoder.embeddings.position_embeddings"]
    patches = model.deit.embeddings.position_embeddings[:, 2:].transpose(1, 2).reshape(1, 64, 24, 24)[:, :, 6:18]
    wide = torch.nn.functional.interpolate(patches, size=(12, 101), mode="bilinear")
    assert torch.allclose(positions[0, 2:], wide.flatten(2)[0].T, atol=1e-6)


def test_shapes_are_those_of_transformers():
    """Saved names of a model of two layers, and widths of the published sizes."""
    import transformers

    saved = transformers.ASTModel(transformers.ASTConfig(**COMMON | {"num_hidden_layers": 2}))
    count = sum(parameter.numel() for parameter in saved.parameters())
    found = shapes(Size(64, 2, 4), 1, 12 * 101 + 2)
    assert sum(torch.Size(shape).numel() for shape in found.values()) == count and len(found) == len(saved.state_dict())
    heads = [(size_of(name).width, size_of(name).layers, size_of(name).heads) for name in ("tiny", "small", "base", "large")]
    assert heads == [(192, 12, 3), (384, 12, 6), (768, 12, 12), (1024, 24, 16)]


@pytest.mark.parametrize(
    ("kind", "patches", "grid"), [("deit", 196, (14, 14)), ("deit", 576, (24, 24)), ("ast", 1212, (12, 101)), ("ast", 12, (12, 1))]
)
def test_grids(kind, patches, grid):
    assert grid_of(kind, patches, "there") == grid


@pytest.mark.parametrize(("kind", "patches"), [("deit", 197), ("deit", 0), ("ast", 1213), ("ast", -2)])
def test_no_grids(kind, patches):
    with pytest.raises(FinserError, match=f"{patches} position embeddings; expected"):
        grid_of(kind, patches, "there")
