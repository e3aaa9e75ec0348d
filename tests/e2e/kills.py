"""Programs that run in a forked process and are killed there: nothing is imported anew."""

import multiprocessing
import os
import random
import signal
import sys
import traceback
from pathlib import Path

import nas.cli.run_augment
import nas.cli.run_evaluate
import nas.cli.run_search  # noqa: F401  (before the fork)
from nas import files
from nas.runtime import checkpoint, loop

TIMEOUT_S = 300


def forked(main, argv, prepare=lambda: None):
    """Start main(argv) in a process of its own; its exit code is what main returns."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(main, argv, prepare))
    process.start()
    return process


def _run(main, argv, prepare):
    code = 1
    try:
        prepare()
        code = main(argv)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def kill_at_event(number):
    """Let the process kill itself, as kill -9 does, at the n-th thing it does from now on.

    A thing is: a step, a piece of a checkpoint written, a file brought to the disk, a file renamed.
    """
    count = 0

    def before(original):
        def wrapped(*args, **kwargs):
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return wrapped

    loop.EpochLoop.check_stop = before(loop.EpochLoop.check_stop)
    checkpoint._HashingWriter.write = before(checkpoint._HashingWriter.write)
    files.os.fsync = before(os.fsync)
    Path.replace = before(Path.replace)


def run_with_kills(main, argv, out, num_kills, seed):
    """Run a program to its end, killing and resuming it at random moments; returns the kills.

    In turn at a random thing it does, and after a random time.
    """
    chance = random.Random(seed)
    kills = 0
    while True:
        resume = ["--resume=true"] if (out / "config.yaml").exists() else []
        number = chance.randint(1, 30) if kills < num_kills and kills % 3 < 2 else 0  # 0: none
        process = forked(main, [*argv, *resume], lambda number=number: kill_at_event(number))
        if kills < num_kills and number == 0:
            process.join(chance.uniform(0.1, 1.0))
            process.kill()
        process.join(TIMEOUT_S)
        if process.exitcode == 0:
            return kills
        assert process.exitcode == -signal.SIGKILL, process.exitcode
        kills += 1
