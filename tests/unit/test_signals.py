"""Signals set a flag; the second interrupt leaves at once."""

import signal

import pytest

from nas.signals import HANDLED, StopFlag


def test_signals_set_a_flag_and_the_second_interrupt_leaves():
    """The first Ctrl-C is noted, the second raises, and the old handlers come back."""
    before = [signal.getsignal(signum) for signum in HANDLED]
    for first in HANDLED:
        with StopFlag() as stop:
            assert stop.signum is None
            signal.raise_signal(first)
            assert stop.signum == first
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(signum) for signum in HANDLED] == before
