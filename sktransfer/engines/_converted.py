"""The converted networks of this process: each is converted once, and compiled once."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from contextlib import ExitStack
from typing import Any

import numpy as np

from sktransfer import _runtime
from sktransfer.cache import FileStore, warn_once
from sktransfer.engines import _openvino
from sktransfer.engines._openvino import Compiled
from sktransfer.engines._probe import check, example_of
from sktransfer.engines._request import Request
from sktransfer.engines._whole import plain, whole
from sktransfer.exceptions import EngineError

_Place = tuple[str, str, int]

_KEPT = 8  # networks: each is a copy with its weights
_compiled: OrderedDict[_Place, Compiled] = OrderedDict()
_refused: dict[tuple[str, str], str] = {}
_lock = threading.RLock()
_held = ExitStack()
# Threads that OpenVINO's library counts on are not in a forked child, which would wait for them
# now and then. It must not even take down what its parent has compiled.
_is_forked = False
_of_parents: list[Any] = []


def converted(request: Request) -> Compiled:
    """Return the network that is asked for, ready to run; the same one for all threads.

    Raises
    ------
    EngineError
        If it cannot be converted, or computes something else; without trying again, if that was
        found out before.
    """
    _runtime.rest_after_fork()
    place = (request.name, request.precision, _runtime.threads())
    # One lock for all: two threads that want the same network must not both convert it, and
    # torch follows only one network at a time.
    with _lock:
        found = _compiled.get(place)
        if found is None or found.broken:
            found = _compiled[place] = _made(request, threads=place[-1])
        _compiled.move_to_end(place)
        while len(_compiled) > _KEPT:
            _compiled.popitem(last=False)
        return found


def _made(request: Request, threads: int) -> Compiled:
    if _is_forked:
        raise EngineError(
            "this process was forked from one that has used OpenVINO; joblib's default, loky, "
            "starts processes that can use it"
        )
    asked = (request.name, request.precision)
    if asked in _refused:
        raise EngineError(_refused[asked])
    try:
        return _from_disk(request, threads) or _anew(request, threads)
    except Exception as error:  # whatever the network, torch's tracer or OpenVINO throws
        told = str(error) if isinstance(error, EngineError) else _openvino.brief(error)
        if not _runtime.is_out_of_memory(error):
            _refused[asked] = told
        raise EngineError(told) from error


def _from_disk(request: Request, threads: int) -> Compiled | None:
    packed = FileStore(request.folder).read(request.name)
    if packed is None:
        return None
    try:
        return _checked(_openvino.unpack(packed), request, threads)
    except Exception:  # a checksum that fits does not tell what a file holds
        return None


def _anew(request: Request, threads: int) -> Compiled:
    example = plain(example_of(request))
    # Images of one size are faster than of any; how many rows and tokens there are is open.
    shape = (-1, -1) if request.size is None else (-1, *request.size, 3)
    model = _openvino.convert(whole(request), example, shape)
    compiled = _checked(model, request, threads)
    if request.folder is not None:
        try:
            FileStore(request.folder).write(request.name, *_openvino.pack(model))
        except OSError as error:  # it computes all the same
            warn_once(request.folder, error)
    return compiled


def _checked(model: Any, request: Request, threads: int) -> Compiled:
    compiled = Compiled(model, request.precision, threads)

    def run(inputs: Any) -> np.ndarray:
        rows = compiled.run(*(tensor.numpy() for tensor in plain(inputs)))
        assert rows is not None  # nobody else has it yet
        return rows

    check(request, run)
    return compiled


def _hold_all() -> None:
    """Wait until OpenVINO does nothing, and keep it so while the process forks.

    Its own locks, which nobody can renew, would stay held in the child.
    """
    _held.enter_context(_lock)
    for network in _compiled.values():
        _held.enter_context(network.lock)


def _let_go_of_all() -> None:
    _held.close()


def _start_anew() -> None:
    global _compiled, _lock, _held, _is_forked
    _is_forked = True
    _of_parents.append((_compiled, _lock, _held))
    _compiled, _lock, _held = OrderedDict(), threading.RLock(), ExitStack()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_hold_all, after_in_parent=_let_go_of_all, after_in_child=_start_anew
    )
