"""Generators that forked tasks would draw the same of are found wherever a project holds them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from textwrap import dedent
from types import ModuleType

import pytest

from flowkit.worker import generators
from flowkit.worker.generators import unseeded_generator
from flowkit.worker.imports import project_imports

Look = Callable[..., str | None]

IMPORTS = """
import functools, logging, random
import numpy as np

class Aug:
    def __init__(self, rng):
        self.rng = rng

class Slotted:
    __slots__ = ("rng",)

class Mine(random.Random):
    pass

class Named(random.Random):
    def __init__(self, name):
        super().__init__()

def closing(rng):
    def draw():
        return rng.random()
    return draw
"""


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """Import sources as all modules of a project, and look."""
    sources: dict[str, bytes] = {}
    monkeypatch.setattr(project_imports, "sources", sources)

    def import_and_look(*texts: str) -> str | None:
        sources.clear()
        for number, text in enumerate(texts):
            name = f"of_a_project_{number}"
            module = ModuleType(name)
            module.__file__ = f"/project/{name}.py"
            sources[module.__file__] = text.encode()
            monkeypatch.setitem(sys.modules, name, module)
            exec(compile(text, module.__file__, "exec"), vars(module))
        return unseeded_generator()

    return import_and_look


PLACES = {
    "a value": "HELD = MADE",
    "a value of a class": "class HELD: rng = MADE",
    "an attribute": "HELD = Aug(MADE)",
    "a slot": "HELD = Slotted(); HELD.rng = MADE",
    "a list": "HELD = [1, MADE]",
    "a dict of tuples": "HELD = {'a': (1, MADE)}",
    "a default": "def HELD(rng=MADE): pass",
    "a default by name": "def HELD(*, rng=MADE): pass",
    "a default of a method": "class HELD:\n    def draw(self, rng=MADE): pass",
    "a bound method": "HELD = MADE.random",
    "a closure": "HELD = closing(MADE)",
    "a partial": "HELD = functools.partial(MADE.random)",
    "a function with a cache": "@functools.cache\ndef HELD(rng=MADE): pass",
    "a function that waits": "HELD = (rng.random() for rng in [MADE])",
}

SEEDED = (
    "random.Random(5)",
    "Mine(5)",
    "np.random.default_rng(5)",
    "np.random.RandomState(5)",
)


@pytest.mark.parametrize("made", SEEDED)
@pytest.mark.parametrize("place", PLACES)
def test_a_generator_is_found_wherever_it_is_held(look: Look, place: str, made: str) -> None:
    text = IMPORTS + PLACES[place]
    told = look(text.replace("MADE", made.replace("5", "")))
    whose = " of numpy" if made.startswith("np.") else ""
    if place == "a value":
        assert told == f"the random generator `HELD`{whose}"
    else:
        assert told == f"a random generator{whose} in `HELD`"
    assert look(text.replace("MADE", made)) is None


@pytest.mark.parametrize(
    "made",
    [
        "Named('a name')",
        "random.Random(None)",
        "np.random.PCG64()",
        "np.random.Generator(np.random.MT19937())",
        "np.random.SeedSequence()",
        "np.random.default_rng(np.random.SeedSequence().spawn(1)[0])",
    ],
)
def test_what_may_have_no_seed_is_found(look: Look, made: str) -> None:
    assert look(f"{IMPORTS}HELD = {{'a': {made}}}") is not None


@pytest.mark.parametrize(
    "made",
    [
        "random.SystemRandom()",
        "random.SystemRandom().random",
        "random.random",
        "random",
        "np.random.normal",
        "np.random.mtrand._rand",
        "np.random.get_bit_generator()",
        "np.random.PCG64(5)",
        "np.random.Generator(np.random.MT19937(5))",
        "np.random.SeedSequence(5).spawn(1)",
        "logging.getLogger()",
    ],
)
def test_what_draws_the_same_or_anew_anyway_is_not_told(look: Look, made: str) -> None:
    assert look(f"{IMPORTS}HELD = [{made}]") is None


def test_all_that_a_project_makes_has_seeds_or_what_it_holds_may_have_none(look: Look) -> None:
    seeded = "import random\ndef make():\n    return random.Random(5)\n"
    assert look(seeded, "from of_a_project_0 import make\nHELD = make().random") is None
    assert look(seeded.replace("5", ""), "from of_a_project_0 import make\nHELD = [make()]") == (
        "a random generator in `HELD`"
    )


def test_steps_make_generators_as_they_like(look: Look) -> None:
    text = """
        import random
        def step(function): return function
        HELD = random.Random(5)
        class Flow:
            @step
            def start(self): return random.Random()
    """
    assert look(dedent(text)) is None
    assert look(dedent(text).replace("@step", "@classmethod")) is not None


def test_what_others_hold_is_not_looked_at(look: Look) -> None:
    # A module of the standard library that holds a generator of its own.
    assert look("import random, tempfile\nHELD = tempfile, tempfile.mkstemp\n") is None
    assert look("HELD = 1") is None


def test_no_object_is_asked_anything(look: Look) -> None:
    text = """
        import random
        class Touchy:
            def __getattribute__(self, name): raise AssertionError(name)
            __eq__ = __hash__ = __bool__ = __len__ = __getattribute__
        TOUCHY = Touchy()
        object.__setattr__(TOUCHY, "more", [TOUCHY, Touchy()])
        HELD = [TOUCHY, random.Random()]
    """
    assert look(dedent(text)) == "a random generator in `HELD`"


def test_looking_ends(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import random\nHELD = []\nfor _ in range(100): HELD = [HELD, HELD]\n"
    assert look(text + "HELD.append(HELD)") is None
    monkeypatch.setattr(generators, "MOST_OBJECTS", 50)
    assert look(text + "LAST = [[random.Random()]]") == "a random generator in `LAST`"
    assert look(text.replace("[]", "[random.Random()]")) is None
