"""The dialog of Colorize Photograph, and the report window of Server Doctor.  Main thread, with a display only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gimp, GimpUi, GLib, GObject, Gtk, Pango
from hints import HINTS_NAME, is_named_so
from language import _
from protocol import ServerError
from source import AmbiguousError, RefusalError
from stack import all_layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from progress import Task
    from protocol import Health, Server

POLL_MS = 200
SPACING = 6
NAME_CHARS = 26
"""Width of a list of layers' names; longer ones are cut in the middle."""

ROWS = ["size", "saturation", "hints-layer", "touch-ups", "scope", "doubt", "hide-previous"]


def ask(
    procedure: Gimp.Procedure,
    config: Gimp.ProcedureConfig,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    connecting: Task[tuple[Server, Health]],
    check: Callable[[list[Gimp.Drawable]], object],
) -> list[Gimp.Drawable] | None:
    """Show the dialog and keep what the artist sets in `config`.

    Args:
        procedure: the procedure whose arguments are shown.
        config: their values; GIMP remembers them.
        image: the image that is going to be colorized.
        drawables: what is selected in it.
        connecting: on its way to the server while the artist reads; tells which sizes its model was tested at.
        check: called with what is to be colorized when the artist presses OK; where it refuses, the dialog stays.

    Returns:
        What is to be colorized, for OK; None for Cancel.

    Raises:
        RefusalError: if the image was closed meanwhile.
    """
    GimpUi.init("colorize")
    _forget_what_is_not_here(config, image)
    dialog = GimpUi.ProcedureDialog.new(procedure, config, _("Colorize Photograph"))
    sizes = GimpUi.IntStore.new([_("Model's choice")])
    # Until the model's sizes are known, the remembered one is there, so that showing it does not change it.
    _fill_sizes(sizes, [config.get_property("size")] if config.get_property("size") else [], 0)
    dialog.get_int_combo("size", sizes)
    dialog.get_scale_entry("saturation", 1.0)
    _let_choose_hints(dialog.get_widget("hints-layer", GObject.TYPE_NONE), config, image)
    photographs = _Photographs(drawables, check)
    dialog.get_content_area().pack_start(photographs.row, False, False, 0)
    recolours = ["recolour"] if not Gimp.Selection.is_empty(image) else []
    dialog.fill([*ROWS, *recolours])
    dialog.get_label("advanced-title", _("Advanced"), False, False)
    dialog.fill_box("advanced-box", ["server"])
    dialog.fill_expander("advanced", "advanced-title", False, "advanced-box")
    dialog.fill(["advanced"])
    area = dialog.get_content_area()
    for note in _image_notes(image):
        area.pack_start(_note(note), False, False, 0)
    status = _note(_("Looking for the colorize server…"))
    area.pack_start(status, False, False, 0)
    problem = _note("")
    problem.get_style_context().remove_class("dim-label")
    problem.get_style_context().add_class("error")
    area.pack_start(problem, False, False, 0)
    area.show_all()
    photographs.show_what_is_needed()
    timer = GLib.timeout_add(POLL_MS, _show_server, connecting, status, sizes, config)
    try:
        while dialog.run():
            if not image.is_valid():
                raise RefusalError(
                    _("The picture was closed while the dialog was open. Open it, then colorize it again.")
                )
            try:
                check(photographs.chosen())
            except RefusalError as error:
                problem.set_text(str(error))
                photographs.show_what_is_needed()
            else:
                return photographs.chosen()
        return None
    finally:
        # A timer that has ended by itself is no longer there to be removed.
        if GLib.MainContext.default().find_source_by_id(timer) is not None:
            GLib.source_remove(timer)
        dialog.destroy()


def _forget_what_is_not_here(config: Gimp.ProcedureConfig, image: Gimp.Image) -> None:
    """Put the default name in place of a remembered hints layer of another picture."""
    name = config.get_property("hints-layer") or ""
    if name.strip() and not any(is_named_so(layer, name) for layer in all_layers(image)):
        config.set_property("hints-layer", HINTS_NAME)


def _image_notes(image: Gimp.Image) -> list[str]:
    notes = []
    if image.get_base_type() == Gimp.ImageBaseType.GRAY:
        notes.append(_("This image is grey. It is converted to RGB in the same step, which one Undo takes back."))
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        notes.append(_("This image is indexed. It is converted to RGB in the same step, which one Undo takes back."))
    notes.append(
        _(
            "Afterwards, how strong the colours are needs no further run: "
            "set the opacity of the colour layer, or Colors > Hue-Chroma on it."
        )
    )
    return notes


class _Photographs:
    """The row that asks which layer is the photograph; it is there only where several may be.

    Attributes:
        row: the widget.
    """

    def __init__(self, drawables: list[Gimp.Drawable], check: Callable[[list[Gimp.Drawable]], object]) -> None:
        self._selected = drawables
        self._check = check
        self._candidates: list[Gimp.Layer] = []
        self._combo = _names_combo(Gtk.ComboBoxText())
        label = Gtk.Label.new_with_mnemonic(_("_Which photograph"))
        label.set_mnemonic_widget(self._combo)
        self.row = Gtk.Box(spacing=SPACING)
        self.row.pack_start(label, False, False, 0)
        self.row.pack_start(self._combo, True, True, 0)

    def show_what_is_needed(self) -> None:
        """Ask, or do not ask, as what is selected and set wants it."""
        if self._candidates:
            return
        try:
            self._check(self._selected)
        except AmbiguousError as error:
            self._candidates = error.candidates
            for layer in self._candidates:
                self._combo.append_text(layer.get_name())
            self._combo.set_active(0)
        except RefusalError:
            pass  # told when the artist presses OK; until then something may be set that mends it
        self.row.set_visible(bool(self._candidates))

    def chosen(self) -> list[Gimp.Drawable]:
        """Return what is to be colorized."""
        return [self._candidates[self._combo.get_active()]] if self._candidates else self._selected


def _show_server(
    connecting: Task[tuple[Server, Health]], status: Gtk.Label, sizes: Gtk.ListStore, config: Gimp.ProcedureConfig
) -> bool:
    """Tell how far the connection is; called again until this returns False."""
    if not connecting.is_done:
        if connecting.text:
            status.set_text(f"{connecting.text}…")
        return True
    try:
        _server, health = connecting.result()
    except ServerError as error:
        status.set_text(str(error))
        return False
    status.set_text(f"{health.model}, {health.backend}")
    if config.get_property("size") not in health.sizes:
        # It was remembered from another model; set before its row goes, so that a row is always selected.
        config.set_property("size", 0)
    _fill_sizes(sizes, health.sizes, health.default_size)
    return False


def _fill_sizes(store: Gtk.ListStore, sizes: list[int], default: int) -> None:
    """Offer the model's choice and these sizes, nothing else."""
    choice = _("Model's choice ({size} px)").format(size=default) if default else _("Model's choice")
    offered = {0: choice}
    offered.update({size: f"{size} px" for size in sizes})
    present = {row[0]: row.iter for row in store}
    for value, label in offered.items():
        row = present.pop(value, None) or store.append()
        store.set(row, [0, 1], [value, label])
    for row in present.values():
        store.remove(row)


def _let_choose_hints(row: GimpUi.LabelEntry, config: Gimp.ProcedureConfig, image: Gimp.Image) -> None:
    """Show in place of the row's plain entry one that also offers the names of the image's layers."""
    combo = _names_combo(Gtk.ComboBoxText.new_with_entry())
    names = [HINTS_NAME, *(layer.get_name() for layer in all_layers(image))]
    for name in dict.fromkeys(names):
        combo.append_text(name)
    combo.set_tooltip_text(
        _("A transparent layer with strokes of the colours you want. Without a layer of this name, no hints are used.")
    )
    combo.set_hexpand(True)
    entry = combo.get_child()
    entry.set_placeholder_text(_("none"))
    entry.set_width_chars(NAME_CHARS)
    both_ways = GObject.BindingFlags.SYNC_CREATE | GObject.BindingFlags.BIDIRECTIONAL
    config.bind_property("hints-layer", entry, "text", both_ways)
    # Hidden, not removed: the row goes on to use its own entry, and would use freed memory.
    plain = row.get_entry()
    plain.set_no_show_all(True)
    plain.hide()
    row.attach(combo, 1, 0, 1, 1)
    row.get_label().set_mnemonic_widget(entry)


def _names_combo(combo: Gtk.ComboBoxText) -> Gtk.ComboBoxText:
    """Keep a long name from stretching the dialog."""
    for cell in combo.get_cells():
        cell.set_property("ellipsize", Pango.EllipsizeMode.MIDDLE)
        cell.set_property("width-chars", NAME_CHARS)
    return combo


def _note(text: str) -> Gtk.Label:
    label = Gtk.Label(label=text, xalign=0.0, wrap=True, max_width_chars=48)
    label.get_style_context().add_class("dim-label")
    return label


def show_report(title: str, text: str) -> None:
    """Show a text that can be selected and copied."""
    GimpUi.init("colorize")
    dialog = GimpUi.Dialog(title=title, role="colorize-report", use_header_bar=0)
    dialog.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
    label = Gtk.Label(label=text, xalign=0.0, selectable=True, wrap=True, max_width_chars=90, margin=2 * SPACING)
    label.set_valign(Gtk.Align.START)
    dialog.get_content_area().pack_start(label, True, True, 0)
    dialog.show_all()
    dialog.run()
    dialog.destroy()
