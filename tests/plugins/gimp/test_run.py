"""The order of things in one run, and what the dialog offers; GIMP and its dialog are stood in for."""

import threading
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import pytest

SIZES = [256, 384]
PICTURE = SimpleNamespace(data=b"picture", channels=3, depth=8)


class Run:
    """Colorize Photograph, where only the plug-in's own order of things is real.

    Attributes:
        requests: what was sent, and to which server.
        connections: the servers that were found, one for each time that one was looked for.
        inserted: the names of GIMP's functions that had been called when the layer was inserted.
    """

    def __init__(self, stood_in: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = stood_in("commands")
        self.run = stood_in("run")
        self.dialog = stood_in("dialog")
        self.gimp = self.module.Gimp
        self.requests: list[tuple[object, SimpleNamespace]] = []
        self.connections: list[str] = []
        self.may_connect = threading.Event()
        self.may_connect.set()
        self.inserted: list[str] = []
        self.values = {"size": 0, "saturation": 1.0, "doubt": False, "scope": "layer", "server": ""}
        self.values |= {"hints-layer": "", "touch-ups": True, "hide-previous": False, "recolour": False}
        self.chosen = chosen = SimpleNamespace(
            width=64, height=48, has_alpha=False, depth=8, hints=[], own_layers=list, image=MagicMock()
        )
        monkeypatch.setattr(self.dialog, "ask", lambda *_: [])
        monkeypatch.setattr(self.run.source, "choose", lambda *_: chosen)
        monkeypatch.setattr(self.run.pixels, "read_picture", lambda *_: PICTURE)
        monkeypatch.setattr(self.run.pixels, "check_unchanged", lambda *_: None)
        monkeypatch.setattr(self.run.launcher, "connect", self._connect)
        monkeypatch.setattr(self.run.client, "colorize", self._colorize)
        monkeypatch.setattr(self.run.touchups, "find", lambda *_: None)
        monkeypatch.setattr(self.run.layers, "insert", self._insert)

    def _connect(self, address: str, tell: Callable[[str], None]) -> tuple[str, object]:
        self.connections.append(f"server {len(self.connections)}")
        self.may_connect.wait(10)
        return self.connections[-1], self.module.protocol.Health({"model": {"sizes": SIZES}})

    def _colorize(self, server: object, request: SimpleNamespace) -> SimpleNamespace:
        self.requests.append((server, request))
        return SimpleNamespace(size=request.size or SIZES[0])

    def _insert(self, insertion: object) -> tuple[str, list[str]]:
        self.inserted.extend(self._called())
        return "layer", []

    def _called(self) -> list[str]:
        return [call[0] for call in self.gimp.mock_calls]

    def start(self, run_mode: str, **values: object) -> None:
        image = MagicMock()
        image.get_floating_sel.return_value = None
        config = SimpleNamespace(get_property={**self.values, **values}.get)
        mode = getattr(self.gimp.RunMode, run_mode)
        self.module.colorize_photograph(MagicMock(), mode, image, [], config, None)
        assert len(self.requests) == 1, self.module.GLib.Error.mock_calls

    def returned(self) -> object:
        """Return the value that was made for the caller."""
        made, _notes = self.module.GObject.Value.call_args_list
        return made.args[1]

    def progress_after_insertion(self) -> list[str]:
        return [name for name in self._called()[len(self.inserted) :] if name.startswith("progress")]


@pytest.fixture
def run(stood_in: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(stood_in, monkeypatch)


@pytest.mark.parametrize("run_mode", ["INTERACTIVE", "WITH_LAST_VALS", "NONINTERACTIVE"])
def test_cancel_is_gone_before_the_image_is_changed(run: Run, run_mode: str) -> None:
    """GIMP ends a plug-in at once where the artist cancels; progress_end() takes that away, a pulse brings it back."""
    run.start(run_mode)
    assert [name for name in run.inserted if name.startswith("progress")][-1] == "progress_end"
    assert run.progress_after_insertion() == []


@pytest.mark.parametrize(
    ("run_mode", "layer"), [("INTERACTIVE", "layer"), ("NONINTERACTIVE", "layer"), ("WITH_LAST_VALS", None)]
)
def test_colorize_again_is_given_no_layer(run: Run, run_mode: str, layer: str | None) -> None:
    """A layer given back to it could outlive its image, and then looking it up crashes GIMP 3.0."""
    run.start(run_mode)
    assert run.returned() == layer


def test_what_was_found_when_the_dialog_opened_is_looked_for_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*arguments: object) -> list[object]:
        arguments[4].result()
        return []

    monkeypatch.setattr(run.dialog, "ask", ask)
    run.start("INTERACTIVE")
    assert run.connections == ["server 0", "server 1"]
    assert run.requests[0][0] == "server 1"


def test_a_server_that_is_just_starting_is_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """OK before the server is there starts no second one."""
    run.may_connect.clear()

    def ask(*arguments: object) -> list[object]:
        threading.Timer(0.2, run.may_connect.set).start()
        return []

    monkeypatch.setattr(run.dialog, "ask", ask)
    run.start("INTERACTIVE")
    assert run.connections == ["server 0"]


@pytest.mark.parametrize(
    ("run_mode", "size", "asked"),
    [
        ("WITH_LAST_VALS", 17, 0),
        ("INTERACTIVE", 17, 0),
        ("NONINTERACTIVE", 17, 17),
        ("WITH_LAST_VALS", 384, 384),
        ("WITH_LAST_VALS", 0, 0),
    ],
)
def test_a_remembered_size_of_another_model_is_the_models_choice(
    run: Run, run_mode: str, size: int, asked: int
) -> None:
    """A script's is passed on: the server refuses it in words."""
    run.start(run_mode, size=size)
    assert run.requests[0][1].size == asked


class Store:
    """Rows of value and label, as far as Gtk.ListStore is used."""

    def __init__(self) -> None:
        self.rows: list[list[object]] = []

    def __iter__(self) -> Iterator[MagicMock]:
        for row in self.rows:
            yield MagicMock(__getitem__=lambda _, column, row=row: row[column], iter=row)

    def append(self) -> list[object]:
        self.rows.append([None, None])
        return self.rows[-1]

    def set(self, row: list[object], columns: list[int], values: list[object]) -> None:
        row[:] = values

    def remove(self, row: list[object]) -> None:
        self.rows.remove(row)


@pytest.mark.parametrize(("remembered", "selected"), [(17, 0), (384, 384), (0, 0)])
def test_the_dialog_offers_the_models_sizes_and_keeps_no_other(run: Run, remembered: int, selected: int) -> None:
    store = Store()
    run.dialog._fill_sizes(store, [remembered] if remembered else [], 0)
    values = {"size": remembered}
    config = SimpleNamespace(get_property=values.get, set_property=values.__setitem__)
    health = run.module.protocol.Health({"model": {"sizes": SIZES, "default_size": SIZES[0]}})
    connecting = SimpleNamespace(is_done=True, result=lambda: (None, health))
    assert not run.dialog._show_server(connecting, MagicMock(), store, config)
    assert values["size"] == selected
    labels = {0: "Model's choice (256 px)", 256: "256 px", 384: "384 px"}
    assert dict(store.rows) == labels


@pytest.mark.parametrize(("touch_ups", "lifted"), [(True, [b"stroke"]), (False, ())])
def test_strokes_are_read_once_with_those_that_were_lifted(
    run: Run, monkeypatch: pytest.MonkeyPatch, touch_ups: bool, lifted: object
) -> None:
    """Reading them from a large scan takes longer than the server does."""
    reads: list[object] = []
    monkeypatch.setattr(run.run.hints, "read", lambda source, layers, more=(): reads.append(more))
    found = run.run.touchups.Lifted(strokes=[b"stroke"])
    monkeypatch.setattr(run.run.touchups, "lift", lambda *_: found)
    run.chosen.image.get_base_type.return_value = run.gimp.ImageBaseType.RGB
    run.start("NONINTERACTIVE", **{"touch-ups": touch_ups})
    assert reads == [lifted]


def test_strokes_in_a_grey_image_are_looked_at_before_the_server_is_waited_for(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(run.run.hints, "read", lambda *_: order.append("strokes"))
    monkeypatch.setattr(run.run.touchups, "lift", lambda *_: order.append("server") or run.run.touchups.Lifted())
    run.chosen.image.get_base_type.return_value = run.gimp.ImageBaseType.GRAY
    run.start("NONINTERACTIVE")
    assert order == ["strokes", "server"]
