"""Pooling compared with hand computation, and the chain of stages."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sktransfer.backbones._network import (
    Apply,
    CachedActivation,
    Chain,
    StagedNetwork,
    at_level,
    pool,
)
from sktransfer.exceptions import BackboneError

# 2 rows, 3 channels, 2 x 2 positions: channel c of row r holds 100 r + 10 c + (0, 1, 2, 3).
MAPS = torch.stack(
    [
        torch.stack([100 * r + 10 * c + torch.arange(4.0).view(2, 2) for c in range(3)])
        for r in (0, 1)
    ]
)
TOKENS = MAPS.flatten(2).transpose(1, 2)
MEAN = torch.tensor([[1.5, 11.5, 21.5], [101.5, 111.5, 121.5]])
MAX = torch.tensor([[3.0, 13, 23], [103, 113, 123]])


def like(layout, prefix_tokens=0):
    return SimpleNamespace(layout=layout, prefix_tokens=prefix_tokens)


@pytest.mark.parametrize(
    ("activation", "layout"),
    [(MAPS, "NCHW"), (MAPS.permute(0, 2, 3, 1), "NHWC"), (TOKENS, "NLC")],
    ids=["NCHW", "NHWC", "NLC"],
)
def test_mean_and_max_pool_over_positions_in_every_layout(activation, layout):
    assert torch.equal(pool(activation, "mean", like(layout)), MEAN)
    assert torch.equal(pool(activation, "max", like(layout)), MAX)


def test_flatten_keeps_all_values_in_order():
    assert torch.equal(pool(MAPS, "flatten", like("NCHW")), MAPS.reshape(2, 12))
    assert torch.equal(pool(TOKENS, "flatten", like("NLC")), TOKENS.reshape(2, 12))


def test_vectors_are_unchanged_by_every_pooling():
    for pooling in ("mean", "max", "cls", "flatten"):
        assert pool(MEAN, pooling, like("NCHW")) is MEAN


def test_prefix_tokens_are_excluded_from_mean_and_max_and_the_first_is_the_class_token():
    prefix = torch.full((2, 2, 3), 1e6)
    prefix[:, 0] = torch.tensor([7.0, 8, 9])
    tokens = torch.cat([prefix, TOKENS], 1)
    assert torch.equal(pool(tokens, "mean", like("NLC", 2)), MEAN)
    assert torch.equal(pool(tokens, "max", like("NLC", 2)), MAX)
    first = pool(tokens, "cls", like("NLC", 2))
    assert torch.equal(first, torch.tensor([[7.0, 8, 9]] * 2))


def test_padding_is_excluded_from_mean_and_max():
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0]])
    tokens = -TOKENS.clone()  # so that zeros at padded positions would be the maximum
    tokens[mask == 0] = 1e6
    mean = torch.tensor([[-0.5, -10.5, -20.5], [-101, -111, -121]])
    highest = torch.tensor([[-0.0, -10, -20], [-100, -110, -120]])
    assert torch.equal(pool(tokens, "mean", like("NLC"), mask=mask), mean)
    assert torch.equal(pool(tokens, "max", like("NLC"), mask=mask), highest)


def test_the_class_token_of_a_text_is_its_first():
    mask = torch.ones(2, 4)
    assert torch.equal(pool(TOKENS, "cls", like("NLC"), mask=mask), TOKENS[:, 0])


def test_tokens_are_pooled_as_tokens_in_a_network_that_ends_in_maps():
    assert torch.equal(pool(TOKENS, "mean", like("NCHW")), MEAN)


@pytest.mark.parametrize(("activation", "layout"), [(MAPS, "NCHW"), (TOKENS, "NLC")])
def test_cls_without_a_class_token_is_refused(activation, layout):
    with pytest.raises(BackboneError, match="class token"):
        pool(activation, "cls", like(layout))


def test_flatten_of_texts_is_refused():
    with pytest.raises(BackboneError, match="number of tokens differs"):
        pool(TOKENS, "flatten", like("NLC"), mask=torch.ones(2, 4))


def test_a_chain_stops_after_the_stage_until():
    chain = Chain({"plus": Apply(lambda x: x + 1), "times": Apply(lambda x: x * 10)}, nn.Flatten())
    ones = torch.ones(2, 3, 1, 1)
    assert torch.equal(chain(ones, until="plus"), ones * 2)
    assert torch.equal(chain(ones, until="times"), ones * 20)
    assert torch.equal(chain(ones), torch.full((2, 3), 20.0))


def test_a_chain_continues_from_the_output_of_a_stage():
    chain = Chain({"plus": Apply(lambda x: x + 1), "times": Apply(lambda x: x * 10)}, nn.Flatten())
    cached = CachedActivation("plus", torch.full((2, 3, 1, 1), 7.0))
    assert torch.equal(chain(torch.ones(2, 3, 1, 1), cached=cached), torch.full((2, 3), 70.0))
    cached = CachedActivation("times", torch.full((2, 3, 1, 1), 7.0))
    assert torch.equal(chain(torch.ones(2, 3, 1, 1), cached=cached), torch.full((2, 3), 7.0))


def test_the_base_class_only_defines_the_interface():
    with pytest.raises(NotImplementedError):
        StagedNetwork()(torch.ones(1))


@pytest.mark.parametrize(
    ("activation", "layout"),
    [(MAPS, "NCHW"), (MAPS.permute(0, 2, 3, 1), "NHWC"), (TOKENS, "NLC")],
    ids=["NCHW", "NHWC", "NLC"],
)
def test_positions_and_tokens_are_given_in_every_layout(activation, layout):
    prefix = torch.zeros(2, 1, 3) if layout == "NLC" else None
    if prefix is not None:
        activation = torch.cat([prefix, activation], 1)
    network = like(layout, 0 if prefix is None else 1)
    assert torch.equal(at_level(activation, "place", network), MAPS.permute(0, 2, 3, 1))
    assert torch.equal(at_level(activation, "token", network), TOKENS)


def test_tokens_that_form_no_square_have_no_map():
    with pytest.raises(BackboneError, match="3 tokens do not form a square map"):
        at_level(TOKENS[:, :3], "place", like("NLC"))
