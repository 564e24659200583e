"""An archive on a cluster: a thin engine of Ray Data around `one_file.colour_file`.

What Ray does by itself, and what is done about it here:

- it tries a task again for ever where a picture ends its process: tries are counted in the store, before the picture is
  read, and such a picture is quarantined;
- a run may "succeed" with rows missing: no errors are tolerated (`max_errored_blocks` stays 0), and the rows are
  compared with the manifest at the end;
- a driver that is killed takes its results with it: the report is written in pieces, and what was done is known from
  the store, not from the report.
"""

import dataclasses
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet
import ray

from ..errors import ColorizeError, PictureError
from ..model import load_model
from .entry import Entry, State
from .manifest import Row
from .one_file import colour_file, crash_entry
from .painter import Painter, open_painter
from .stores import MAX_STARTS, Known, RemoteFiles, States, below, last_written
from .task import Rules, Task

REPORTS: Final = "colorize-reports"
"""Folder below the results, with one of Parquet files for each run."""
ROWS_PER_BLOCK: Final = 4
"""Photographs that are tried again together when a worker is lost."""
_ROWS_PER_PIECE: Final = 100
_SECONDS_PER_PIECE: Final = 30.0
_RETRIES: Final = 2 * MAX_STARTS * ROWS_PER_BLOCK
"""Of a block: each of its photographs may end its process twice, and as many workers may be lost besides."""
_OBJECT_STORE_BYTES: Final = 200 << 20
"""Ray's memory for what workers hand on; here only rows."""
_SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("state", "id", "source", "target", "source_sha256", "target_sha256")),
        *((name, pa.int64()) for name in ("line", "width", "height", "depth")),
        *((name, pa.string()) for name in ("profile", "model", "model_sha256", "backend", "error_code", "error")),
        *((name, pa.float64()) for name in ("seconds", "network_s", "doubt")),
    ]
)


@dataclass(frozen=True)
class ClusterPlan:
    """What a run on a cluster needs.

    Attributes:
        rules: what is wanted.
        output: folder or URI of the results.
        model: the model's file, at the same place on every machine.
        backend: what computes.
        workers: how many actors; None takes one for each processor core, or each GPU, of the cluster.
        gpus: for each worker: 0 or 1.
        address: of a cluster that runs; None starts Ray on this machine.
        run: names this run.
    """

    rules: Rules
    output: str
    model: Path
    backend: str = "auto"
    workers: int | None = None
    gpus: int = 0
    address: str | None = None
    run: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"))


class Worker:
    """An actor: opens the model once, then colours row after row; each call returns a row of the report."""

    def __init__(self, plan: ClusterPlan) -> None:
        os.environ["OMP_NUM_THREADS"] = "1"
        self._plan = plan
        self._painter: Painter | None = None
        self._files, self._states = RemoteFiles(), States(plan.output)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Colour one photograph."""
        return as_row(self._colour(Row(**row)), row["line"])

    def _open(self) -> Painter:
        if self._painter is None:
            self._painter = open_painter(load_model(self._plan.model), self._plan.backend, 1)
        return self._painter

    def _colour(self, row: Row) -> Entry:
        task = Task(row.source, below(self._plan.output, row.target), row.id, row.sha256, row.hints)
        try:
            known = self._states.read(task.target)
            return self._quarantined(task, known) or self._coloured(task, known)
        except ColorizeError as error:  # the model cannot be opened here, or the store not be reached
            entry = Entry(state=State.FAILED, source=task.source, target=task.target, id=task.id)
            return entry.failed(error)

    def _quarantined(self, task: Task, known: Known) -> Entry | None:
        """Return the entry of a photograph that ends its process, unless it was changed since, or is asked for."""
        rules = self._plan.rules
        if known.starts < MAX_STARTS or rules.batch.overwrite:
            return None
        crashed = crash_entry(task, rules, "on this cluster", is_last=True, files=self._files)
        if known.entry is not None and known.entry.state is State.QUARANTINED and not known.entry.agrees_with(crashed):
            return None
        self._states.write(task.target, Known(crashed, known.starts, self._plan.run))
        return crashed

    def _coloured(self, task: Task, known: Known) -> Entry:
        before = last_written(known.entry)
        starts = known.starts + 1 if known.starts < MAX_STARTS else 1

        def keep(entry: Entry | None, starts: int, run: str = self._plan.run) -> None:
            self._states.write(task.target, Known(entry, starts, run))

        keep(before, starts, known.run)
        entry = colour_file(
            dataclasses.replace(task, before=None if before is None else before.as_members()),
            self._plan.rules,
            self._open,
            files=self._files,
            announce=lambda announced: keep(announced, starts),
        )
        if entry.state is State.DONE:
            keep(entry, 0)
            return entry
        keep(before, 0, known.run)
        is_of_this_run = entry.state is State.SKIPPED and not entry.remarks and known.run == self._plan.run
        return dataclasses.replace(entry, state=State.DONE) if is_of_this_run else entry  # its block is tried again


def as_row(entry: Entry, line: int) -> dict[str, Any]:
    """Return a row of the report."""
    members = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
    error = entry.error or {}
    return {
        name: {"line": line, "error_code": error.get("code", ""), "error": entry.reason}.get(name, members.get(name))
        for name in _SCHEMA.names
    }


def run_on_cluster(rows: list[Row], plan: ClusterPlan, tell: Callable[[dict[str, Any]], None]) -> str:
    """Colour a manifest's rows on a cluster; every row is told and in the report, also those that nobody gave back.

    Args:
        rows: from `manifest.placed`.
        plan: what is needed.
        tell: called with each row of the report.

    Returns:
        Folder of the report.
    """
    report = _Report(below(below(plan.output, REPORTS), plan.run))
    left = {row.line: row for row in rows}
    why = "No worker gave it back."
    _start(plan.address)
    try:
        for result in _results(rows, plan):
            if left.pop(result["line"], None) is not None:
                report.add(result)
                tell(result)
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).splitlines() if "Error" in line] or str(error).strip().splitlines()
        why = f"Ray gave up: {lines[-1].strip()}"
    finally:
        for line, row in left.items():
            missing = Entry(state=State.FAILED, source=row.source, target=below(plan.output, row.target), id=row.id)
            failure = PictureError(why, "Run the same command again: it goes on.", code="missing")
            result = as_row(missing.failed(failure), line)
            report.add(result)
            tell(result)
        report.flush()
        ray.shutdown()
    return report.folder


def _start(address: str | None) -> None:
    """Reach a cluster, or start Ray on this machine for this run alone."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        # Without an address, Ray would find this machine's by way of a server of Google.
        options |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        options["object_store_memory"] = _OBJECT_STORE_BYTES
    try:
        ray.init(address=address, **options)
    except Exception as error:  # Ray raises plain ones, too
        last = str(error).strip().splitlines()[-1:]
        raise ColorizeError(
            f"Ray cannot be {'started' if address is None else 'reached'}: {' '.join(last)}",
            "Try again when the machine is less busy." if address is None else "Look whether the cluster runs.",
        ) from error


def _results(rows: list[Row], plan: ClusterPlan) -> Iterator[dict[str, Any]]:
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # its plans are for its developers
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = 0
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    there = int(resources.get("GPU", 0) if plan.gpus else resources.get("CPU", 1))
    workers = max(1, min(len(rows), plan.workers or there))
    blocks = -(-len(rows) // ROWS_PER_BLOCK)
    data = ray.data.from_items([dataclasses.asdict(row) for row in rows], override_num_blocks=blocks)
    with warnings.catch_warnings():  # that only the limit's place will change
        warnings.simplefilter("ignore", ray.util.annotations.RayDeprecationWarning)
        coloured = data.map(
            Worker,  # type: ignore[arg-type]  # Ray makes an actor of a class
            fn_constructor_args=(plan,),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            num_gpus=plan.gpus or None,
            max_task_retries=_RETRIES,
        )
    yield from coloured.iter_rows()


class _Report:
    """The report of one run, written in pieces."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._files = RemoteFiles()
        self._rows: list[dict[str, Any]] = []
        self._pieces = 0
        self._since = time.monotonic()

    def add(self, row: dict[str, Any]) -> None:
        """Take a row; write a piece when there are many, or when it is time."""
        self._rows.append(row)
        if len(self._rows) >= _ROWS_PER_PIECE or time.monotonic() - self._since > _SECONDS_PER_PIECE:
            self.flush()

    def flush(self) -> None:
        """Write what was not written yet."""
        if self._rows:
            sink = pa.BufferOutputStream()
            pyarrow.parquet.write_table(pa.Table.from_pylist(self._rows, _SCHEMA), sink)
            self._files.write(below(self.folder, f"part-{self._pieces:05}.parquet"), sink.getvalue().to_pybytes())
            self._pieces += 1
        self._rows, self._since = [], time.monotonic()
