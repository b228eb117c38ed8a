"""A list of checks that run in order and are counted.

A check is a function that raises when it doesn't find what it wants. Names of
topics and groups are new in each run, so that a cluster can be used again.
"""

import itertools
import os
import signal
import sys
import traceback
import uuid

LIMIT = 90  # seconds that one check may take

_checks = []
_numbers = itertools.count(1)
_run = uuid.uuid4().hex[:8]


def check(f):
    """Adds a function to the list."""
    _checks.append(f)
    return f


def fresh(kind="t"):
    """A name that nothing on the cluster has."""
    return f"{kind}-{_run}-{next(_numbers)}"


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


def raises(f, accept, what):
    """f must fail with an error that accept takes."""
    try:
        f()
    except Exception as e:
        if not accept(e):
            raise AssertionError(f"{what}: failed with {e!r}") from e
        return
    raise AssertionError(f"{what}: no error")


def address():
    return sys.argv[1]


def _late(*_):
    raise TimeoutError(f"took more than {LIMIT} s")


def run(client, call=lambda f: f()):
    """Runs all checks and ends the process: 0 if all have passed."""
    only = os.environ.get("ONLY")
    todo = [f for f in _checks if not only or only in f.__name__]
    signal.signal(signal.SIGALRM, _late)
    passed = 0
    for f in todo:
        signal.alarm(LIMIT)
        try:
            call(f)
            passed += 1
            print(f"ok    {f.__name__}", flush=True)
        except Exception as e:
            print(f"FAIL  {f.__name__}: {type(e).__name__}: {e}", flush=True)
            if os.environ.get("TRACE"):
                traceback.print_exc()
        finally:
            signal.alarm(0)
    print(f"{client}: {passed} of {len(todo)} checks passed", flush=True)
    sys.stdout.flush()
    # Clients that a failed check has left behind mustn't keep the process.
    os._exit(0 if passed == len(todo) and todo else 1)
