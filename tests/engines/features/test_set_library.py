"""The stored sets survive, never change, and are refused where they cannot be."""

import pytest

from nautilus.engines.features.feature_set import FeatureSet, FeatureSpec, default_set
from nautilus.engines.features.set_library import SetLibrary
from nautilus.errors import Conflict, Invalid, NotFound
from nautilus.store.embedded import EmbeddedStore

MINE = FeatureSet("mine", 1, (FeatureSpec("RSI"), FeatureSpec("microprice")))


@pytest.fixture
async def state():
    store = EmbeddedStore.in_memory(record_types=())
    await store.open()
    yield store.state
    await store.close()


async def test_the_default_is_there_and_in_use(state):
    library = SetLibrary(state)
    assert library.all() == [default_set()]
    assert library.active() == default_set()


async def test_a_stored_set_and_the_choice_survive(state):
    library = SetLibrary(state)
    assert library.put(MINE) == MINE
    library.choose(MINE)
    again = SetLibrary(state)
    assert again.get("mine", 1) == MINE
    assert again.versions("mine") == [MINE]
    assert again.active() == MINE


async def test_storing_twice_is_storing_once_and_a_version_never_changes(state):
    library = SetLibrary(state)
    library.put(MINE)
    library.put(MINE)
    with pytest.raises(Conflict, match="never changes"):
        library.put(FeatureSet("mine", 1, (FeatureSpec("RSI"),)))
    with pytest.raises(Conflict):
        library.put(FeatureSet("default", 1, (FeatureSpec("RSI"),)))
    assert library.get("mine", 1) == MINE


async def test_a_bad_set_is_refused_and_nothing_is_stored(state):
    library = SetLibrary(state)
    with pytest.raises(Invalid):
        library.put(FeatureSet("bad", 1, (FeatureSpec("nothing"),)))
    with pytest.raises(Invalid):
        library.put(FeatureSet("active", 1, (FeatureSpec("RSI"),)))
    with pytest.raises(NotFound):
        library.get("bad", 1)
    with pytest.raises(NotFound):
        library.versions("bad")
