"""The dense network on an encoder's statistics, and the fine-tuned encoder."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from finser import encoders, seeds
from finser.classifiers.classification import Classification
from finser.config.sections.classifiers import EncoderHead, EncoderTuned, SampleAugment
from finser.encoders.base import RATE
from finser.errors import FinserError
from finser.features.examples import Examples, by_speaker
from finser.files import write_json
from finser.models import begin
from finser.models.encoder_inputs import ENCODER
from finser.models.encoder_samples import CollateSamples
from finser.training.loop import fit

from ..encoders import tiny

INIT = "models/weights/x"
CLASSES = ("sad", "happy", "angry")
STILL = SampleAugment(speed_fraction=0, noise_fraction=0, band_masks=0, time_masks=0)


def initial(folder, name: str):
    """Write models/initial/NAME of a fine-tuned encoder, as `prepare_fine_tuning` does; return the encoder."""
    tiny.write(folder, name)
    (folder / "config.json").rename(folder / ENCODER)
    made = encoders.build(encoders.read_json(folder / ENCODER))
    made.net.load_state_dict(load_file(folder / "model.safetensors"))
    return made.eval()


def tuned(folder, name: str, **options):
    initial(folder, name)
    classifier = begin(EncoderTuned(init=INIT, **options), ("a",), len(CLASSES), folder)
    classifier.receive(folder)
    return classifier


def sounds(n: int, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % len(CLASSES)
    times = np.arange(12_000) / RATE
    inputs = [
        (np.sin(2 * np.pi * 300 * (1 + target) * times[: 12_000 - 97 * (number % 5)])).astype(np.float32)
        + rng.normal(0, 0.05, 12_000 - 97 * (number % 5)).astype(np.float32)
        for number, target in enumerate(targets)
    ]
    names = [f"c/{seed}/{number}" for number in range(n)]
    return Examples("train", names, names, ["original"] * n, targets, inputs, CLASSES)


@pytest.mark.parametrize("name", [*tiny.KINDS, "byol_s"])
def test_logits_are_the_head_on_the_weighted_sum_of_the_published_hidden_states(tmp_path, name):
    classifier = tuned(tmp_path, name, pooling="statistics")
    encoder, net = initial(tmp_path, name), classifier.net.eval()
    samples = sounds(1).inputs[0]
    count = torch.tensor([len(samples)])
    x = torch.from_numpy(encoder.prepare(samples))[None]
    net.layers.logits.data = torch.arange(encoder.n_layers, dtype=torch.float32)
    with torch.no_grad():
        states = encoder(x, count)
        frames = int(encoder.n_frames(count))
        weights = np.exp(np.arange(encoder.n_layers)) / np.exp(np.arange(encoder.n_layers)).sum()
        summed = sum(float(weight) * state[0, :frames] for weight, state in zip(weights, states, strict=True))  # (t, dim)
        pooled = torch.cat([summed.mean(0), (summed.var(0, unbiased=False) + 1e-5).sqrt()])
        net.norm.running_mean.copy_(pooled + 0.5)
        net.norm.running_var.fill_(4.0)
        torch.testing.assert_close(net(x, count)[0], net.out(torch.full_like(pooled, -0.25)), rtol=1e-3, atol=1e-3)
    assert classifier.found["layer_weights"] == pytest.approx(weights.tolist())


@pytest.mark.parametrize(
    ("name", "options", "moves"),
    [
        ("wavlm", {}, {"feature_projection", "encoder.pos", "encoder.layers.0", "encoder.layers.2"}),
        ("wavlm", {"front_end": "tuned"}, {"feature_extractor", "feature_projection", "encoder.layers.0", "encoder.layers.2"}),
        ("hubert_large", {"frozen_layers": 2}, {"encoder.layers.1", "encoder.layers.2"}),
        ("whisper", {"frozen_layers": 3}, {"layers.2", "layer_norm"}),
        ("byol_s", {"frozen_layers": 3}, {"fc.0", "fc.3"}),
        ("data2vec", {"lora_rank": 2}, {"q_proj.parametrizations.weight.0.up", "v_proj.parametrizations.weight.0.up"}),
    ],
)
def test_training_changes_what_is_not_frozen_and_nothing_else(tmp_path, name, options, moves):
    classifier = tuned(tmp_path, name, epochs=1, batch_size=4, crop_seconds=0.75, augment=STILL, **options)
    before = {key: tensor.clone() for key, tensor in classifier.net.encoder.net.state_dict().items()}
    train = sounds(8)
    fit(Classification(classifier, train, train.at([]), ("a",)))
    after = classifier.net.encoder.net.state_dict()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert all(any(part in key for key in changed) for part in moves), (moves, sorted(changed)[:20])
    frozen = {
        "wavlm": set() if options else {"feature_extractor"},
        "hubert_large": {"feature_extractor", "feature_projection", "layers.0."},
        "whisper": {"conv1", "conv2", "layers.0.", "layers.1."},
        "byol_s": {"features", "running", "num_batches"},
        "data2vec": {"original", "feature_extractor", "fc", "conv", "intermediate", "output_dense"},
    }[name]
    assert not [key for key in changed if any(part in key for part in frozen)]
    assert name != "data2vec" or all(key.endswith((".0.up", ".0.down")) for key in changed), "LoRA leaves all else as published"
    trained = sum(tensor.numel() for tensor in classifier.net.parameters() if tensor.requires_grad)
    everything = sum(tensor.numel() for tensor in classifier.net.parameters())
    assert classifier.n_params == trained and (trained < everything) == (options != {"front_end": "tuned"})


@pytest.mark.parametrize("name", [*tiny.KINDS, "byol_s"])
def test_training_and_validation_in_bfloat16(tmp_path, name):
    rank = 2 if name in ("wavlm_large", "whisper") else 0
    options = {"precision": "bf16", "epochs": 2, "batch_size": 4, "crop_seconds": 0.6, "lora_rank": rank}
    classifier = tuned(tmp_path, name, **options, gradient_checkpointing=name in ("wavlm_large", "wav2vec2"))
    history = fit(Classification(classifier, sounds(8), sounds(6, 1), ("a",))).history
    assert np.isfinite([one["train_loss"] for one in history]).all() and np.isfinite(history[-1]["validation_loss"])


def test_the_norm_behind_the_layers_belongs_to_the_last_layer(tmp_path):
    classifier = tuned(tmp_path, "wavlm_large", frozen_layers=3, encoder_learning_rate=0.01)
    rates = {id(parameter): group["lr"] for group in classifier.groups() for parameter in group["params"]}
    assert rates[id(classifier.net.encoder.net.encoder.layer_norm.weight)] == 0.01
    with pytest.raises(FinserError, match="no layer is left to fine-tune; expected less than 4; found 4"):
        tuned(tmp_path, "wavlm_large", frozen_layers=4)


@pytest.mark.parametrize("given", [("lora_rank", "frozen_layers"), ("lora_rank", "front_end"), ("front_end", "frozen_layers")])
def test_keys_that_exclude_each_other_are_refused(given):
    values = {"lora_rank": 2, "frozen_layers": 1, "front_end": "tuned"}
    with pytest.raises(ValueError, match="leave|without"):
        EncoderTuned(init=INIT, **{key: values[key] for key in given})


def test_learning_rates_fall_from_layer_to_layer(tmp_path):
    classifier = tuned(tmp_path, "wav2vec2", encoder_learning_rate=0.01, layer_decay=0.5, learning_rate=0.1)
    rates = {id(parameter): group["lr"] for group in classifier.groups() for parameter in group["params"]}
    net = classifier.net.encoder.net
    assert rates[id(classifier.net.out.weight)] == 0.1
    found = [rates[id(layer.attention.q_proj.weight)] for layer in net.encoder.layers]
    assert found == pytest.approx([0.0025, 0.005, 0.01])
    assert rates[id(net.feature_projection.projection.weight)] == pytest.approx(0.00125)
    trained = {id(parameter) for parameter in classifier.net.parameters() if parameter.requires_grad}
    assert rates.keys() == trained, "every trained parameter is in one group"
    assert sum(len(group["params"]) for group in classifier.groups()) == len(trained)


@pytest.mark.parametrize(("name", "rank"), [("wavlm", 0), ("wavlm_large", 2), ("whisper", 0)])
def test_gradient_checkpointing_computes_layers_again_and_gives_the_same_gradients(tmp_path, name, rank):
    gradients, calls = [], []
    for checkpointed in (False, True):
        classifier = tuned(tmp_path / str(checkpointed), name, gradient_checkpointing=checkpointed, dropout=0.0, lora_rank=rank)
        layers = classifier.net.encoder.net.layers if name == "whisper" else classifier.net.encoder.net.encoder.layers
        calls.append([])
        next(layers[1].children()).register_forward_pre_hook(lambda *_, seen=calls[-1]: seen.append(1))
        encoder, net = classifier.net.encoder, classifier.net.train()
        encoder.net.config.mask_time_prob = 0.0
        for module in net.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        for key in ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "dropout"):
            for module in encoder.net.modules():
                if isinstance(getattr(module, key, None), float):
                    setattr(module, key, 0.0)
        inputs, counts = CollateSamples(encoder)(sounds(2).inputs, None)
        net(inputs, counts).square().sum().backward()
        gradients.append({key: one.grad.clone() for key, one in net.named_parameters() if one.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and len(gradients[0]) > 10
    assert (len(calls[0]), len(calls[1])) == (1, 2), "the backward pass computes a layer again"
    for key in gradients[0]:
        torch.testing.assert_close(gradients[0][key], gradients[1][key], rtol=1e-4, atol=1e-6)


def test_low_rank_updates_start_at_the_published_encoder_and_are_saved(tmp_path):
    plain = tuned(tmp_path / "a", "wavlm_large").net.eval()
    classifier = tuned(tmp_path / "b", "wavlm_large", lora_rank=3)
    inputs, counts = CollateSamples(plain.encoder)(sounds(2).inputs[:1], None)
    with torch.no_grad():
        for one, other in zip(plain.encoder(inputs, counts), classifier.net.eval().encoder(inputs, counts), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    updates = [one for key, one in classifier.net.named_parameters() if key.endswith("up")]
    assert len(updates) == 2 * 3 and all(one.requires_grad for one in updates)
    assert classifier.encoder_params == plain.encoder_params > 0, "updates are no parameters of the encoder"
    for one in updates:
        one.data.normal_(0, 0.1)
    (tmp_path / "saved").mkdir()
    classifier.save(tmp_path / "saved")
    again = begin(EncoderTuned(init=INIT, lora_rank=3), (), len(CLASSES), tmp_path / "saved")
    again.restore(tmp_path / "saved")
    clips = sounds(3).inputs
    np.testing.assert_array_equal(again.probabilities(clips), classifier.probabilities(clips))
    assert not np.allclose(classifier.probabilities(clips), begin(EncoderTuned(init=INIT), ("a",), 3, tmp_path / "a").probabilities(clips))


def test_byol_s_has_no_gradient_checkpointing(tmp_path):
    with pytest.raises(FinserError, match="this encoder has no gradient checkpointing"):
        tuned(tmp_path, "byol_s", gradient_checkpointing=True)


def test_low_rank_updates_of_an_encoder_without_attention_are_one_line(tmp_path):
    with pytest.raises(FinserError, match="an encoder without attention has no low-rank updates"):
        tuned(tmp_path, "byol_s", lora_rank=4)


@pytest.mark.parametrize("fault", ["missing", "extra", "damaged", "none"])
def test_weights_of_another_encoder_are_one_line(tmp_path, fault):
    initial(tmp_path, "hubert")
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    if fault == "missing":
        tensors.pop("encoder.layers.1.layer_norm.bias")
    if fault == "extra":
        tensors["lm_head.weight"] = torch.zeros(3)
    save_file(tensors, path)
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:100])
    if fault == "none":
        path.unlink()
    classifier = begin(EncoderTuned(init=INIT), ("a",), 3, tmp_path)
    with pytest.raises(FinserError) as caught:
        classifier.receive(tmp_path)
    assert "\n" not in str(caught.value)
    said = {"missing": "layer_norm.bias", "extra": "lm_head.weight", "damaged": "not a readable model", "none": "no such file"}
    assert said[fault] in str(caught.value)


def test_a_fine_tuned_encoder_learns_and_two_trainings_give_the_same_weights(tmp_path):
    """SpecAugment of the encoder, dropout, crops, speed and noise: all draws depend on the names alone."""
    options = {"epochs": 6, "batch_size": 6, "crop_seconds": 0.6, "encoder_learning_rate": 0.002, "learning_rate": 0.01}
    made = []
    for number in range(2):
        classifier = tuned(tmp_path / str(number), "wav2vec2", **options)
        np.random.default_rng(number).random(3)
        np.random.seed(number)  # noqa: NPY002  (transformers would draw its masks from this generator)
        fit(Classification(classifier, sounds(18), sounds(6, 1), ("a",)))
        made.append(classifier)
    assert classifier.net.encoder.net.config.mask_time_prob > 0
    for one, other in zip(made[0].net.state_dict().values(), made[1].net.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    test = sounds(9, 2)
    assert (made[0].probabilities(test.inputs).argmax(1) == test.targets).mean() > 0.6


def test_a_clip_longer_than_the_window_is_cropped_to_its_centre(tmp_path):
    encoder = initial(tmp_path, "wav2vec2")
    encoder.window = 8_000
    clip = sounds(1).inputs[0][:11_000]
    inputs, counts = CollateSamples(encoder)([clip], None)
    assert counts.tolist() == [8_000]
    np.testing.assert_allclose(inputs[0].numpy(), encoder.prepare(clip[1_500:9_500]))


def test_crops_are_changed_as_asked(tmp_path):
    encoder, clip = initial(tmp_path, "wavlm"), sounds(1).inputs[0]
    fast = SampleAugment(speed_fraction=1, speed=(1.5, 1.5), noise_fraction=0)
    y = CollateSamples(encoder, 4_000, fast)._changed(clip, seeds.generator("a"))
    peak = np.abs(np.fft.rfft(y * np.hanning(len(y)))).argmax() * RATE / len(y)
    assert len(y) == 4_000 and peak == pytest.approx(450, abs=8), "300 Hz, one and a half times as fast"
    loud = SampleAugment(speed_fraction=0, noise_fraction=1, noise_db=(10, 10))
    y = CollateSamples(encoder, 12_000, loud)._changed(clip, seeds.generator("a"))
    assert 10 * np.log10(np.mean(clip**2) / np.mean((y - clip) ** 2)) == pytest.approx(10, abs=1e-3)
    whole = CollateSamples(encoder, 20_000, STILL)._changed(clip, seeds.generator("a"))
    np.testing.assert_array_equal(whole, clip)


def test_masks_of_byol_s_cover_bands_and_frames(tmp_path):
    encoder = initial(tmp_path, "byol_s")
    options = SampleAugment(speed_fraction=0, noise_fraction=0, band_masks=1, band_width=20, time_masks=1, time_width=20)
    clips = sounds(12).inputs
    masked, counts = CollateSamples(encoder, 12_000, options)(clips, seeds.generator("b"))
    plain, _ = CollateSamples(encoder, 12_000, STILL)(clips, seeds.generator("b"))
    hidden = (masked == 0) & (plain != 0)  # (batch, t, bands)
    assert hidden.any() and torch.equal(masked[~hidden], plain[~hidden])
    whole = hidden.all(1).any(1) | hidden.all(2).any(1)  # a band over all frames, or a frame over all bands
    assert whole.float().mean() > 0.5 and counts.tolist() == [len(clip) for clip in clips]


def test_a_dense_network_is_z_scores_a_weighted_sum_of_layers_and_linear_layers(tmp_path):
    write_json(tmp_path / ENCODER, {"family": "byol_s", "preprocessor": {}, "origin": {}})
    classifier = begin(EncoderHead(init=INIT, hidden=(7,), statistics=("max", "mean")), ("a",), 3, tmp_path)
    rng = np.random.default_rng(0)
    inputs = list(rng.normal(2, 3, (30, 5, 1536)).astype(np.float16))
    classifier.prepare(inputs, [])
    net, x = classifier.net.eval(), np.stack(inputs).astype(np.float64)
    x = np.concatenate([x[:, :, 1024:], x[:, :, :512]], axis=2)  # max, mean
    net.layers.logits.data = torch.tensor([0.0, 1.0, -1.0, 0.5, 2.0])
    weights = np.exp(net.layers.logits.detach().numpy())
    z = np.einsum("l,nlw->nw", weights / weights.sum(), (x - x.mean(0)) / x.std(0))
    first, last = net.dense[1], net.dense[4]
    hidden = np.maximum(z @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0)
    logits = hidden @ last.weight.detach().numpy().T + last.bias.detach().numpy()
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(classifier.probabilities(inputs), expected, atol=1e-4)
    assert classifier.found["layer_weights"] == pytest.approx((weights / weights.sum()).tolist())
    linear = begin(EncoderHead(init=INIT, hidden=()), ("a",), 3, tmp_path)
    assert linear.n_params == 5 + 1536 * 3 + 3


def test_the_weights_of_the_layers_find_the_layer_that_tells_the_class(tmp_path):
    write_json(tmp_path / ENCODER, {"family": "byol_s", "preprocessor": {}, "origin": {}})
    rng, targets = np.random.default_rng(0), np.arange(90) % 3
    centres, inputs = rng.normal(0, 1, (3, 1536)), rng.normal(0, 1, (90, 5, 1536))
    inputs[:, 3] += centres[targets]
    names = [f"c/{number}" for number in range(90)]
    train = Examples("train", names, names, ["original"] * 90, targets, list(inputs.astype(np.float16)), CLASSES)
    options = EncoderHead(init=INIT, hidden=(), epochs=30, layer_learning_rate=0.05)
    classifier = begin(options, ("a",), 3, tmp_path)
    fit(Classification(classifier, train, train.at([]), ("a",)))
    assert int(np.argmax(classifier.found["layer_weights"])) == 3


def test_normalisation_by_speaker_leaves_no_difference_between_speakers():
    rng = np.random.default_rng(0)
    inputs = [row.astype(np.float16) for row in rng.normal(0, 1, (20, 2, 3))]
    inputs = [row * 2 + 5 if number % 2 else row for number, row in enumerate(inputs)]
    speakers = [f"s{number % 2}" for number in range(20)]
    found = by_speaker(Examples("test", list(map(str, range(20))), speakers, ["original"] * 20, np.zeros(20, int), inputs, CLASSES))
    for speaker in ("s0", "s1"):
        table = np.stack([row for row, one in zip(found.inputs, speakers, strict=True) if one == speaker])
        np.testing.assert_allclose(table.mean(0), 0, atol=1e-6)
        np.testing.assert_allclose(table.std(0), 1, atol=1e-5)
    assert found.clip_ids == list(map(str, range(20)))


def test_each_variant_is_normalised_by_its_own_statistics():
    table = np.random.default_rng(0).normal(0, 1, (20, 4))
    variants = ["original", "noise"] * 10
    table[1::2] = table[1::2] * 3 - 7
    found = by_speaker(Examples("train", list(map(str, range(20))), ["s"] * 20, variants, np.zeros(20, int), list(table), CLASSES))
    for start in (0, 1):
        rows = np.stack(found.inputs)[start::2]
        np.testing.assert_allclose(rows.mean(0), 0, atol=1e-6)
        np.testing.assert_allclose(rows.std(0), 1, atol=1e-5)


def test_a_speaker_with_one_clip_has_zeros():
    one = Examples("test", ["a"], ["s"], ["original"], np.zeros(1, int), [np.ones((2, 3), np.float16)], CLASSES)
    assert not by_speaker(one).inputs[0].any()
