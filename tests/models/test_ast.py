"""The Audio Spectrogram Transformer: its filter banks, its net, and its initial weights."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from transformers.audio_utils import mel_filter_bank

from finser import layout
from finser.classifiers.pretrain import CollatePairs, pretrain
from finser.classifiers.train_classifier import train_classifier
from finser.config.params import Params
from finser.config.sections.classifiers import Ast, SpectrogramAugment, by_map
from finser.config.sections.fetch import Synthetic
from finser.config.sections.fetch_weights import Weights
from finser.config.sections.masks import Masks
from finser.encoders.fetch import fetch_weights
from finser.encoders.sizes import size_of
from finser.errors import FinserError
from finser.features import filter_banks as filter_bank_module
from finser.features.filter_banks import RATE, filter_banks
from finser.features.rows import Row
from finser.files import checksum, read_json
from finser.models import begin, load
from finser.models.ast import AstNet, CollateFilterBanks, frame_numbers, grid, reader, statistics
from finser.models.network import n_trainable
from finser.models.published import adapted_positions

from ..miniature import dumped, prepare

NANO = Ast(model_size="nano", frequency_stride=16, time_stride=16, epochs=2)
PARAMETERS = {"nano": 189_576, "tiny": 5_457_224, "small": 21_531_272, "base": 85_529_864, "large": 302_943_240}


def waveform(seed: int, n: int) -> np.ndarray:
    """Noise under a tone with an offset, float32, not above 1."""
    rng = np.random.default_rng(seed)
    y = 0.2 * rng.standard_normal(n) + 0.3 * np.sin(np.arange(n) * rng.uniform(0.01, 1.5)) + rng.uniform(-0.1, 0.1)
    return (y * rng.choice([1e-4, 1e-2, 0.5])).clip(-1, 1).astype(np.float32)


@settings(deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(400, 20_000))
def test_filter_banks_are_those_of_the_published_extractor(seed, n):
    from transformers import ASTFeatureExtractor

    y = waveform(seed, n)
    mine = filter_banks(y)
    theirs = ASTFeatureExtractor(do_normalize=False, max_length=len(mine))(y, sampling_rate=RATE, return_tensors="np").input_values[0]
    assert mine.shape == (1 + (n - 400) // 160, 128) and mine.dtype == np.float32
    assert np.allclose(mine, theirs, atol=1e-4)  # logarithms: a hundredth of a per cent of the power


def test_the_bands_have_the_bits_of_transformers():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filter")
        bank = mel_filter_bank(257, 128, 20, 8000, 16_000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True)
    assert np.array_equal(filter_bank_module._triangles().toarray(), bank.T)


def test_filter_banks_do_not_ask_torchaudio(monkeypatch):
    y = waveform(0, 8_000)
    expected = filter_banks(y)

    class Refuses:
        def __getattr__(self, name):
            raise AssertionError(f"torchaudio.{name} was asked for")

    for name in ("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi"):
        monkeypatch.setitem(sys.modules, name, Refuses())
    monkeypatch.setattr("transformers.utils.is_speech_available", lambda: True)
    assert np.array_equal(filter_banks(y), expected)


def test_silence_is_kaldis_floor_and_a_short_clip_has_a_frame():
    assert np.allclose(filter_banks(np.zeros(1_600, np.float32)), np.log(2.0**-23))
    assert filter_banks(waveform(1, 7)).shape == (1, 128)


def test_a_row_is_resampled_to_16_khz():
    """A tone of 1 kHz stays one: its loudest band is that of the same tone made at 16 kHz."""
    made = {rate: 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate) for rate in (16_000, 22_050)}
    row = Row("a", "original", np.round(32767 * made[22_050]).astype(np.int16), {})
    found, expected = reader(NANO).convert(row), filter_banks(made[16_000])
    assert found.shape == expected.shape == (98, 128)
    assert np.abs(found[:, 30:50] - expected[:, 30:50])[5:-5].max() < 0.05  # the tone's bands
    assert found.mean(0).argmax() == expected.mean(0).argmax()


@pytest.mark.parametrize("size", PARAMETERS)
def test_exact_numbers_of_parameters(size):
    """Counted from the topology by hand as well."""
    with torch.device("meta"):
        net = AstNet(Ast(model_size=size), 8)
    width, layers = size_of(size).width, size_of(size).layers
    rows, columns = (128 - 16) // 10 + 1, (300 - 16) // 10 + 1
    layer = 4 * (width * width + width) + 2 * 2 * width + (4 * width * width + 4 * width) + (4 * width * width + width)
    by_hand = 256 * width + width + (rows * columns + 2) * width + 2 * width + layers * layer + 2 * width + 8 * width + 8
    assert n_trainable(net.parameters()) == by_hand == PARAMETERS[size]


@pytest.mark.parametrize(("stride", "patches"), [(10, (12, 29)), (16, (8, 18))])
def test_shapes(stride, patches):
    options = Ast(model_size="nano", frequency_stride=stride, time_stride=stride)
    net = AstNet(options, 8).eval()
    x = torch.randn(3, 300, 128)
    assert grid(options) == net.grid == patches
    assert net.trunk(x).shape == (3, patches[1], 64)
    assert net(x, torch.tensor([300, 20, 1])).shape == (3, 8)


def test_the_trunks_steps_are_the_means_over_frequency_in_the_order_of_time():
    """With an encoder that hands on its patches, and patches that are their own mean, step i is the mean of its 16 frames."""
    net = AstNet(NANO, 8).eval()
    embeddings = net.encoder.embeddings
    for tensor in (embeddings.position_embeddings, embeddings.patch_embeddings.projection.bias):
        tensor.data.zero_()
    embeddings.patch_embeddings.projection.weight.data.fill_(1 / 256)
    net.encoder.layers, net.encoder.layernorm = torch.nn.ModuleList(), torch.nn.Identity()
    x = torch.randn(2, 300, 128)
    means = x[:, :288].reshape(2, 18, 16 * 128).mean(2)  # strides of 16: patches side by side
    assert torch.allclose(net.trunk(x), means.unsqueeze(2).expand(-1, -1, 64), atol=1e-6)


def test_the_tokens_begin_differently():
    embeddings = AstNet(NANO, 8).encoder.embeddings
    assert not torch.equal(embeddings.cls_token, embeddings.distillation_token) and embeddings.position_embeddings.std() > 0.01


@given(lengths=st.lists(st.integers(1, 700), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_clips_are_cropped_in_the_middle_or_padded_as_the_extractor_pads(lengths, seed):
    rng = np.random.default_rng(seed)
    clips = [rng.normal(-4, 3, (length, 128)).astype(np.float32) for length in lengths]
    mean, scale = -4.0, 6.0
    batch, n_frames = CollateFilterBanks(mean, scale, 300, Masks())(clips, None)
    assert batch.shape == (len(clips), 300, 128) and n_frames.tolist() == [min(length, 300) for length in lengths]
    for row, clip in zip(batch.numpy(), clips, strict=True):
        first = max(len(clip) - 300, 0) // 2
        padded = np.vstack([clip[first : first + 300], np.zeros((max(300 - len(clip), 0), 128))])  # zeros before it normalises
        assert np.allclose(row, (padded - mean) / scale, atol=1e-5)


def test_training_crops_at_random_and_masks_with_the_mean():
    clip = np.repeat(np.arange(500, dtype=np.float32)[:, None], 128, 1)
    masks = Masks(band_masks=1, band_width=24, time_masks=0)
    collate = CollateFilterBanks(1000.0, 1.0, 300, masks)
    starts, masked = set(), set()
    for seed in range(20):
        row = collate([clip], np.random.default_rng(seed))[0][0].numpy()
        columns = (row == 0).all(0)
        masked.add(int(columns.sum()))
        kept = row[:, ~columns]
        starts.add(int(kept[0, 0]) + 1000)
        assert np.array_equal(kept, np.broadcast_to(kept[:, :1], kept.shape)) and np.array_equal(np.diff(kept[:, 0]), np.ones(299))
    assert len(starts) > 10 and min(starts) >= 0 and max(starts) <= 200 and len(masked) > 1 and max(masked) <= 24


def test_statistics_are_those_of_all_cells():
    clips = [np.random.default_rng(n).normal(-3, 2, (n, 128)).astype(np.float32) for n in (5, 40)]
    cells = np.concatenate(clips).astype(float)
    assert statistics(clips) == pytest.approx((cells.mean(), cells.std()))
    assert statistics([np.full((3, 128), 7.0)]) == (7.0, 1.0)


def test_what_it_is_given_has_mean_0_and_deviation_a_half():
    """Gong et al. divide by twice the deviation."""
    clips = [np.random.default_rng(n).normal(-3, 2 + n, (64, 128)).astype(np.float32) for n in range(4)]
    classifier = begin(NANO.model_copy(update={"frames": 64}), (0,), 8)
    classifier.prepare(clips, [])
    batch, _ = classifier.collate(training=False)(clips, None)
    assert (float(batch.mean()), float(batch.std())) == pytest.approx((0, 0.5), abs=1e-4)


def plane(rows: int, columns: int) -> torch.Tensor:
    """Position embeddings of width 2 that hold their own row and column; those of the tokens hold -1 and -2."""
    at = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"), -1).reshape(1, -1, 2).float()
    return torch.cat([torch.tensor([[[-1.0, -1.0], [-2.0, -2.0]]]), at], 1)


@given(
    old=st.tuples(st.integers(1, 20), st.integers(1, 60)),
    new=st.tuples(st.integers(1, 30), st.integers(1, 80)),
)
def test_positions_are_cut_to_the_middle_or_stretched_linearly(old, new):
    """A plane stays one: pixel i of n of m old ones lies at (i + 0.5) m / n - 0.5, and beyond the edge at the edge."""
    found = adapted_positions(plane(*old), old, new)
    assert torch.equal(found[:, :2], plane(*old)[:, :2])

    def at(m: int, n: int) -> np.ndarray:
        return np.arange(n) + m // 2 - n // 2 if n <= m else ((np.arange(n) + 0.5) * m / n - 0.5).clip(0, m - 1)

    expected = np.stack(np.meshgrid(at(old[0], new[0]), at(old[1], new[1]), indexing="ij"), -1)
    assert np.allclose(found[0, 2:].reshape(*new, 2).numpy(), expected, atol=1e-4)


def test_positions_are_those_of_gong_et_al():
    """Their lines for DeiT's 14 x 14 and 12 x 29 patches: time is stretched to 29 first, then frequency cut."""
    positions = torch.randn(1, 2 + 14 * 14, 8)
    patches = positions[:, 2:].reshape(1, 196, 8).transpose(1, 2).reshape(1, 8, 14, 14)
    patches = torch.nn.functional.interpolate(patches, size=(14, 29), mode="bilinear")
    patches = patches[:, :, int(14 / 2) - int(12 / 2) : int(14 / 2) - int(12 / 2) + 12, :]
    expected = torch.cat([positions[:, :2], patches.reshape(1, 8, 12 * 29).transpose(1, 2)], 1)
    assert torch.equal(adapted_positions(positions, (14, 14), (12, 29)), expected)


@pytest.fixture
def bare() -> Params:
    """Params without sections of classifiers. A fixture named params would also change the miniature project of other modules."""
    corpora = ("ravdess",)
    return Params(corpora=corpora, pooled=corpora, fetch={"ravdess": Synthetic()}, train_fin={"data": {"corpora": corpora}})


def with_ast(params: Params, options: Ast, **weights: Weights) -> Params:
    values = params.model_dump() | {"models": ("ast",), **dumped(by_map({"ast": options}))}
    return Params.model_validate({**values, "fetch_weights": {name: one.model_dump() for name, one in weights.items()}})


@pytest.fixture
def published(tmp_path):
    """A function that writes random weights as transformers writes a published model's, and gives the model and its section."""

    def write(kind: str, heads: bool = True):
        import transformers

        torch.manual_seed(3)
        common = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 256, "num_labels": 5}
        if kind == "deit":
            config = transformers.DeiTConfig(**common)
            model = (transformers.DeiTForImageClassificationWithTeacher if heads else transformers.DeiTModel)(config)
        else:
            config = transformers.ASTConfig(**common)
            model = (transformers.ASTForAudioClassification if heads else transformers.ASTModel)(config)
        for parameter in model.parameters():
            parameter.data.normal_(0, 0.1)
        model.eval().save_pretrained(tmp_path / kind)
        return model, section(tmp_path / kind / "model.safetensors", kind)

    return write


def section(path, kind: str) -> Weights:
    Path("local.yaml").write_text(f"weights: {{given: {path}}}\n")
    return Weights(source="local", family=kind, model_size="nano", sha256=checksum(path))


@pytest.mark.parametrize(("kind", "expected"), [("ast", (12, 29)), ("deit", (12, 29))])
def test_published_weights_are_where_training_begins(project, bare, published, kind, expected):
    model, weights = published(kind)
    options = Ast(model_size="nano", init="models/weights/given", epochs=1, learning_rate=1e-9)
    params = with_ast(bare, options, given=weights)
    fetch_weights(params, "given")
    prepare(params, "ast")
    train_classifier(params, "ast", "speaker", 1, 0)
    trained = load(layout.classifier("ast", "speaker", 1, 0))[0].net
    assert trained.grid == expected
    original = (model.deit if kind == "deit" else model.audio_spectrogram_transformer).state_dict()
    learned = trained.encoder.state_dict()
    assert learned.keys() >= original.keys() - {"pooler.dense.weight", "pooler.dense.bias"}
    for name, tensor in original.items():
        if tensor.shape == learned[name].shape:
            assert torch.allclose(tensor, learned[name], atol=1e-6), name
    assert "the encoder of models/weights/given" in (layout.initial("ast") / "config.json").read_text()


def test_an_ast_of_the_same_grid_answers_as_the_published_one(project, bare, published):
    """128 x 1,024 as published: nothing is cut, so the pooled output is the published model's."""
    model, weights = published("ast")
    options = Ast(model_size="nano", frames=1024, init="models/weights/given")
    fetch_weights(params := with_ast(bare, options, given=weights), "given")
    prepare(params, "ast")
    classifier = begin(options, (), 8)
    classifier.receive(layout.initial("ast"))
    x = torch.randn(2, 1024, 128)
    with torch.no_grad():
        expected = model.audio_spectrogram_transformer(x).pooler_output
        assert torch.allclose(classifier.net.eval().encoder(x).pooler_output, expected, atol=1e-5)


def test_weights_of_another_size_are_refused_before_anything_runs(bare, published):
    weights = published("ast")[1]
    with pytest.raises(Exception, match="fine_tune.ast.model_size is 'tiny', and fetch_weights.given has weights of 'nano'"):
        with_ast(bare, Ast(model_size="tiny", init="models/weights/given"), given=weights)


def test_weights_that_are_not_what_params_say_are_refused_when_they_are_read(project, bare, published):
    _, weights = published("ast")
    fetch_weights(with_ast(bare, NANO, given=weights), "given")
    other = Ast(model_size="tiny", init="models/weights/given")
    changed = with_ast(bare, other, given=weights.model_copy(update={"model_size": "tiny"}))
    with pytest.raises(FinserError, match="weights of another size; expected tiny: 192 wide, 12 layers; found 64 wide, 3 layers"):
        prepare(changed, "ast")


def test_weights_that_no_section_fetches_are_refused(bare, published):
    with pytest.raises(Exception, match="fine_tune.ast.init is models/weights/other, and 'other' is no section of fetch_weights"):
        with_ast(bare, Ast(model_size="nano", init="models/weights/other"), given=published("ast")[1])


def test_an_encoder_is_pretrained_and_started_from(project, bare):
    plain = NANO.model_copy(update={"frames": 64})
    models = {"trunk": plain, "ast": plain.model_copy(update={"init": "models/pretrained/trunk"})}
    values = bare.model_dump() | {"models": ("ast",), **dumped(by_map(models))}
    params = Params.model_validate({**values, "pretrain": {"trunks": ("trunk",), "epochs": 12, "batch_size": 8, "crop_frames": 48}})
    prepare(params, "trunk")
    pretrain(params, "trunk", "speaker", 2)
    history = read_json(layout.pretrained("trunk", "speaker", 2) / "config.json")["history"]
    assert history[-1]["train_loss"] < 0.8 * history[0]["train_loss"]
    prepare(params, "ast")
    classifier = begin(models["ast"], (), 8)
    classifier.receive(layout.initial("ast") / "speaker" / "2")
    for name, tensor in load_file(layout.pretrained("trunk", "speaker", 2) / "model.safetensors").items():
        assert name.startswith("encoder.") and torch.equal(classifier.net.state_dict()[name], tensor)


@pytest.mark.parametrize("drawn", [True, False])
def test_imitated_features_are_those_of_the_frames_that_the_trunk_sees(drawn):
    """Inputs and features that count the clip's frames: every step's target is the mean of its inputs, in a long clip as in a short one."""
    options = NANO.model_copy(update={"frames": 64})
    none = SpectrogramAugment(band_masks=0, time_masks=0)
    collate = CollatePairs(CollateFilterBanks(0.0, 1.0, 64), np.zeros(162), np.ones(162), AstNet(options, 8), crop=7, masks=none)
    pairs = [(np.repeat(np.arange(n)[:, None], 128, 1), np.repeat(np.arange(n)[:, None], 162, 1)) for n in (100, 40)]
    inputs, targets, counts = collate(pairs, np.random.default_rng(0) if drawn else None)
    assert inputs.shape == (2, 64, 128) and targets.shape == (2, 4, 162) and counts.tolist() == [[True] * 4, [True] * 3 + [False]]
    assert torch.allclose(targets[0, :, 0], inputs[0, :, 0].reshape(4, 16).mean(1))
    assert torch.allclose(targets[1, :3, 0], torch.tensor([7.5, 23.5, 35.5]))


def test_frame_numbers_are_times_in_librosas_frames():
    """Frame 10 of the filter banks is centred at 0.1125 s, which is frame 4.845 of 512 samples at 22,050 Hz."""
    assert frame_numbers(NANO)(None, 11)[10] == pytest.approx(0.1125 * 22_050 / 512)


def test_it_learns_what_is_there_with_the_same_bytes_twice(project, bare):
    params = with_ast(bare, NANO.model_copy(update={"epochs": 20, "batch_size": 16, "learning_rate": 0.002, "frames": 64}))
    prepare(params, "ast")
    contents = []
    for _ in range(2):
        train_classifier(params, "ast", "speaker", 1, 0)
        folder = layout.classifier("ast", "speaker", 1, 0)
        contents.append([(folder / name).read_bytes() for name in ("model.safetensors", "history.csv")])
    assert contents[0] == contents[1]
    assert float(contents[0][1].decode().splitlines()[-1].split(",")[3]) > 0.5  # validation UAR; chance is .125
    stored = load_file(folder / "model.safetensors")
    assert stored["mean"].shape == stored["scale"].shape == (1,) and stored["scale"] > 0
