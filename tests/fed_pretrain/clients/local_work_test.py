"""The order of a client's local work."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fed_pretrain.clients.local_work import LocalWork, make_order

rows_and_batch = {"rows": st.integers(1, 40), "batch": st.integers(1, 12)}


def used(order: np.ndarray) -> list[int]:
    return [int(row) for row in order.ravel() if row >= 0]


@settings(deadline=None, max_examples=50)
@given(**rows_and_batch, epochs=st.integers(1, 4))
def test_every_epoch_uses_each_row_once_and_only_its_last_batch_is_partial(rows, batch, epochs):
    order = make_order(rows, LocalWork(batch, epochs=epochs), 1, 2, "a")
    assert order.dtype == np.int32
    assert order.shape == (epochs * -(-rows // batch), batch)
    for epoch in np.split(order, epochs):
        assert sorted(used(epoch)) == list(range(rows))
        assert np.all(epoch[:-1] >= 0)
        filled = (epoch[-1] >= 0).tolist()
        assert filled == sorted(filled, reverse=True)


@settings(deadline=None, max_examples=50)
@given(**rows_and_batch, steps=st.integers(0, 30))
def test_exact_steps_are_the_beginning_of_endless_epochs(rows, batch, steps):
    exact = make_order(rows, LocalWork(batch, steps=steps), 1, 2, "a")
    endless = make_order(rows, LocalWork(batch, epochs=31), 1, 2, "a")
    assert len(exact) == steps
    np.testing.assert_array_equal(exact, endless[:steps])


def test_a_deadline_cuts_the_work_short_and_changes_nothing_before_it():
    whole = make_order(10, LocalWork(3, epochs=2), 1, 2, "a")
    cut = make_order(10, LocalWork(3, epochs=2, max_steps=5), 1, 2, "a")
    np.testing.assert_array_equal(cut, whole[:5])
    late = make_order(10, LocalWork(3, epochs=2, max_steps=99), 1, 2, "a")
    np.testing.assert_array_equal(late, whole)


def test_another_seed_round_or_client_shuffles_differently_and_the_same_ones_do_not():
    work = LocalWork(50)
    first = make_order(50, work, 1, 2, "a")
    np.testing.assert_array_equal(first, make_order(50, work, 1, 2, "a"))
    for seed, round_number, client in ((9, 2, "a"), (1, 9, "a"), (1, 2, "b")):
        assert not np.array_equal(first, make_order(50, work, seed, round_number, client))


def test_without_shuffling_rows_come_as_stored():
    order = make_order(5, LocalWork(2, shuffle=False), 1, 2, "a")
    assert order.tolist() == [[0, 1], [2, 3], [4, -1]]


def test_an_empty_client_has_no_steps_even_where_an_exact_number_is_asked():
    assert make_order(0, LocalWork(4, steps=7), 1, 2, "a").shape == (0, 4)


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"batch_size": 2, "steps": -1}])
def test_impossible_work_is_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        LocalWork(**wrong)
