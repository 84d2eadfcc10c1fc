"""Mirror in TensorBoard: a folder of event files for each model, `DIR/SWEEP/MODEL`."""

import os
import socket
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from orchestrator.driver.mirrors.entry import Entry, MirroredModel
from orchestrator.naming.names import slug

_SUFFIX = ".robustsweep"
_MOST_OPEN = 32
_VERSION = "brain.Event:2"


class TensorBoard:
    """`Target` in a folder that `tensorboard --logdir DIR` shows; a model's settings are the text of its run.

    TensorBoard's own records are written by this thread, so that a full disk is an error here; its writers of events have threads.
    """

    def __init__(self, folder: Path, *, anew: bool) -> None:
        """Write to the folder, in addition to what it holds; `anew`: in the place of what earlier mirrors wrote of the same models."""
        self._folder, self._anew = folder, anew
        self._open: OrderedDict[str, Any] = OrderedDict()
        self._seen: set[str] = set()

    def write(self, entry: Entry) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in entry.values.items()]
        writer = self._writer(entry.model)
        writer.write(_event(step=entry.step, summary=Summary(value=values)))
        writer.flush()

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _writer(self, model: MirroredModel) -> Any:
        if model.key not in self._open:
            self._open[model.key] = self._opened(model)
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(model.key)
        return self._open[model.key]

    def _opened(self, model: MirroredModel) -> Any:
        from tensorboard.plugins.text.summary_v2 import text_pb
        from tensorboard.summary.writer.record_writer import RecordWriter

        run, first = self._folder / slug(model.sweep) / slug(model.name), model.key not in self._seen
        run.mkdir(parents=True, exist_ok=True)
        for old in run.glob(f"events.out.tfevents.*{_SUFFIX}") if first and self._anew else ():
            old.unlink()
        name = f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}{_SUFFIX}"
        writer = RecordWriter((run / name).open("xb"))
        writer.write(_event(file_version=_VERSION))
        if first:
            rows = [f"| {name} | {value} |" for name, value in model.settings.items()]
            writer.write(_event(summary=text_pb("settings", "\n".join(["| setting | value |", "|---|---|", *rows]))))
            self._seen.add(model.key)
        return writer


def _event(**fields: Any) -> bytes:
    from tensorboard.compat.proto.event_pb2 import Event

    encoded: bytes = Event(wall_time=time.time(), **fields).SerializeToString()
    return encoded
