import os
import sys

from groundwork import signals


def test_a_handler_speaks_where_standard_error_is_no_file(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stderr", None)
    signals.say("stopping")
    assert capfd.readouterr().err == "\nstopping\n"


def test_a_handler_does_not_raise_where_standard_error_is_closed(monkeypatch):
    def closed(descriptor, content):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "write", closed)
    signals.say("stopping")
