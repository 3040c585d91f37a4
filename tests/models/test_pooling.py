"""Pooling over time against its closed form."""

import numpy as np
import pytest
import torch

from finser.models.pooling import Mean, Pool, frame_mask


def clips(lengths: list[int], channels: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Random frames, wild ones after the end of each clip, and the mask of those that count."""
    x = torch.from_numpy(np.random.default_rng(0).normal(3, 2, (len(lengths), max(lengths) + 4, channels)).astype(np.float32))
    mask = frame_mask(torch.tensor(lengths), x.shape[1])
    x[~mask] = 1e4
    return x, mask


def test_the_mask_is_true_for_the_frames_of_each_clip():
    expected = [[True, False, False], [True, True, True], [True, True, True]]
    assert frame_mask(torch.tensor([1, 3, 5]), 3).tolist() == expected
    assert frame_mask(torch.tensor([1, 4, 5, 12, 13]), 3, 4).sum(1).tolist() == [1, 1, 2, 3, 3]


def test_statistics_are_mean_and_deviation_of_the_frames_that_count():
    lengths = [1, 7, 30]
    x, mask = clips(lengths)
    found = Pool(5, "statistics")(x, mask).numpy()
    for row, clip, length in zip(found, x.numpy(), lengths, strict=True):
        assert row[:5] == pytest.approx(clip[:length].mean(0), abs=1e-5)
        assert row[5:] == pytest.approx(np.sqrt(clip[:length].var(0) + 1e-5), abs=1e-5)


def test_the_mean_is_of_the_frames_that_count():
    lengths = [1, 7, 30]
    x, mask = clips(lengths)
    found = Mean()(x, mask).numpy()
    for row, clip, length in zip(found, x.numpy(), lengths, strict=True):
        assert row == pytest.approx(clip[:length].mean(0), abs=1e-5)


def test_attention_weights_frames_by_the_softmax_of_its_network():
    torch.manual_seed(0)
    lengths, pool = [1, 7, 30], Pool(5, "attention")
    x, mask = clips(lengths)
    first, _, second = pool.score
    found = pool(x, mask).detach().numpy()
    for row, clip, length in zip(found, x.numpy().astype(np.float64), lengths, strict=True):
        frames = clip[:length]
        hidden = np.tanh(frames @ first.weight.detach().numpy().T + first.bias.detach().numpy())
        score = hidden @ second.weight.detach().numpy()[0]
        weight = np.exp(score - score.max()) / np.exp(score - score.max()).sum()
        mean = np.average(frames, axis=0, weights=weight)
        assert row[:5] == pytest.approx(mean, abs=1e-4)
        assert row[5:] == pytest.approx(np.sqrt(np.average((frames - mean) ** 2, axis=0, weights=weight) + 1e-5), abs=1e-4)


@pytest.mark.parametrize("kind", ["attention", "statistics"])
def test_constant_frames_have_a_finite_gradient(kind):
    x = torch.ones(2, 4, 5, requires_grad=True)
    Pool(5, kind)(x, frame_mask(torch.tensor([1, 4]), 4)).sum().backward()
    assert torch.isfinite(x.grad).all()
