"""Forked attempts draw as fresh processes would."""

from __future__ import annotations

import random

import numpy as np
import pytest

from flowkit.worker.randomness import ImportedRandomness


@pytest.fixture(autouse=True)
def _leave_generators_as_they_were() -> object:
    states = random.getstate(), np.random.get_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])


def draws(randomness: ImportedRandomness) -> tuple[float, float]:
    """What a child would draw first: Python itself seeds anew after a fork."""
    state = random.getstate(), np.random.get_state()
    random.seed()
    randomness.renew()
    drawn = random.random(), float(np.random.random())
    random.setstate(state[0])
    np.random.set_state(state[1])
    return drawn


def test_children_differ_when_nobody_seeded() -> None:
    randomness = ImportedRandomness()
    np.random.set_state(np.random.RandomState().get_state())
    randomness.settle()
    first, second = draws(randomness), draws(randomness)
    assert first[0] != second[0]


@pytest.mark.parametrize("used", [1, 623, 624, 2_000])
def test_children_differ_when_the_module_only_drew(used: int) -> None:
    randomness = ImportedRandomness()
    for _ in range(used):
        random.random()
    randomness.settle()
    assert draws(randomness)[0] != draws(randomness)[0]


def test_children_agree_when_the_module_seeded() -> None:
    randomness = ImportedRandomness()
    random.seed(7)
    np.random.seed(7)
    randomness.settle()
    assert draws(randomness) == draws(randomness)
    assert draws(randomness)[0] == random.Random(7).random()
