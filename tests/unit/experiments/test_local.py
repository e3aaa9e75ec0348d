"""Runs on this machine: the threads that each of them gets."""

from nas.experiments import local


def test_runs_share_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(local.os, "cpu_count", lambda: 8)
    assert local.environment_of_runs(4)["OMP_NUM_THREADS"] == "2"
    assert local.environment_of_runs(16)["OMP_NUM_THREADS"] == "1"


def test_threads_of_the_user_are_kept(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert local.environment_of_runs(1)["OMP_NUM_THREADS"] == "3"
