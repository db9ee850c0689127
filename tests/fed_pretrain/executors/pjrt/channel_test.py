"""Messages and arrays between two ends, as two processes use them."""

import socket
import threading

import numpy as np
import pytest

from fed_pretrain.executors.pjrt.channel import Channel, Closed


@pytest.fixture
def ends():
    first, second = socket.socketpair()
    pair = Channel(first), Channel(second)
    yield pair
    for end in pair:
        end.close()


@pytest.mark.parametrize("size", [0, 3, 100_000], ids=["empty", "small", "beyond a page"])
def test_arrays_arrive_as_they_were_sent_however_large(ends, size):
    here, there = ends
    sent = [np.arange(size, dtype=np.float32), np.array(True), np.ones((2, 3), np.int64)]
    for number in range(2):
        here.send({"number": number}, [a * (number + 1) for a in sent])
        message, found = there.receive(timeout=5)
        assert message == {"number": number}
        for one, other in zip(found, sent, strict=True):
            np.testing.assert_array_equal(one, other * (number + 1))
        there.send({}, [found[0] + 1])
        np.testing.assert_array_equal(here.receive(timeout=5)[1][0], sent[0] * (number + 1) + 1)


def test_what_is_reserved_is_filled_in_place_and_sent(ends):
    here, there = ends
    here.reserve([("int32", (4,))])[0][:] = [1, 2, 3, 4]
    here.send({})
    assert there.receive(timeout=5)[1][0].tolist() == [1, 2, 3, 4]


def test_a_silent_end_is_a_timeout_and_a_gone_one_is_closed(ends):
    here, there = ends
    with pytest.raises(TimeoutError):
        here.receive(timeout=0.01)
    threading.Timer(0.05, there._socket.shutdown, [socket.SHUT_RDWR]).start()
    with pytest.raises(Closed):
        here.receive(timeout=5)
