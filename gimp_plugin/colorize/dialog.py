"""The dialog of Colorize Photograph, and the report window of About and Doctor.  Main thread, with a display only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gimp, GimpUi, GLib, GObject, Gtk
from protocol import ServerError
from hints import HINTS_NAME
from stack import all_layers

if TYPE_CHECKING:
    from progress import Task
    from protocol import Health, Server

POLL_MS = 200
SPACING = 6
MODELS_CHOICE = "Model's choice"


def ask(
    procedure: Gimp.Procedure,
    config: Gimp.ProcedureConfig,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    connecting: Task[tuple[Server, Health]],
) -> list[Gimp.Drawable] | None:
    """Show the dialog and keep what the artist sets in `config`.

    Args:
        procedure: the procedure whose arguments are shown.
        config: their values; GIMP remembers them.
        image: the image that is going to be colorized.
        drawables: what is selected in it.
        connecting: on its way to the server while the artist reads; tells which sizes its model vouches for.

    Returns:
        What is to be colorized, for OK; None for Cancel.
    """
    GimpUi.init("colorize")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, "Colorize Photograph")
    sizes = GimpUi.IntStore.new([MODELS_CHOICE])
    # Until the model's sizes are known, the remembered one is there, so that showing it does not change it.
    _fill_sizes(sizes, [config.get_property("size")] if config.get_property("size") else [], 0)
    dialog.get_int_combo("size", sizes)
    dialog.get_scale_entry("saturation", 1.0)
    _let_choose_hints(dialog.get_widget("hints-layer", GObject.TYPE_NONE), config, image)
    dialog.fill(["size", "saturation", "hints-layer", "touch-ups", "scope", "doubt", "hide-previous"])
    dialog.get_label("advanced-title", "Advanced", False, False)
    dialog.fill_box("advanced-box", ["server"])
    dialog.fill_expander("advanced", "advanced-title", False, "advanced-box")
    dialog.fill(["advanced"])
    area = dialog.get_content_area()
    if image.get_base_type() != Gimp.ImageBaseType.RGB:
        kind = "grey" if image.get_base_type() == Gimp.ImageBaseType.GRAY else "indexed"
        note = f"This image is {kind}. It is converted to RGB in the same step, which one Undo takes back."
        area.pack_start(_note(note), False, False, 0)
    status = _note("Looking for the colorize server…")
    area.pack_start(status, False, False, 0)
    area.show_all()
    timer = GLib.timeout_add(POLL_MS, _show_server, connecting, status, sizes, config)
    try:
        return drawables if dialog.run() else None
    finally:
        # A timer that has ended by itself is no longer there to be removed.
        if GLib.MainContext.default().find_source_by_id(timer) is not None:
            GLib.source_remove(timer)
        dialog.destroy()


def _show_server(
    connecting: Task[tuple[Server, Health]], status: Gtk.Label, sizes: Gtk.ListStore, config: Gimp.ProcedureConfig
) -> bool:
    """Tell how far the connection is; called again until this returns False."""
    if not connecting.is_done:
        if connecting.text:
            status.set_text(f"{connecting.text}…")
        return True
    try:
        _, health = connecting.result()
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
    offered = {0: f"{MODELS_CHOICE} ({default} px)" if default else MODELS_CHOICE}
    offered.update({size: f"{size} px" for size in sizes})
    present = {row[0]: row.iter for row in store}
    for value, label in offered.items():
        row = present.pop(value, None) or store.append()
        store.set(row, [0, 1], [value, label])
    for row in present.values():
        store.remove(row)


def _let_choose_hints(row: GimpUi.LabelEntry, config: Gimp.ProcedureConfig, image: Gimp.Image) -> None:
    """Show in place of the row's plain entry one that also offers the names of the image's layers."""
    combo = Gtk.ComboBoxText.new_with_entry()
    names = [HINTS_NAME, *(layer.get_name() for layer in all_layers(image))]
    for name in dict.fromkeys(names):
        combo.append_text(name)
    combo.set_tooltip_text(
        "A transparent layer with strokes of the colours you want. Without a layer of this name, no hints are used."
    )
    combo.set_hexpand(True)
    entry = combo.get_child()
    entry.set_placeholder_text("none")
    both_ways = GObject.BindingFlags.SYNC_CREATE | GObject.BindingFlags.BIDIRECTIONAL
    config.bind_property("hints-layer", entry, "text", both_ways)
    # Hidden, not removed: the row goes on to use its own entry, and would use freed memory.
    plain = row.get_entry()
    plain.set_no_show_all(True)
    plain.hide()
    row.attach(combo, 1, 0, 1, 1)
    row.get_label().set_mnemonic_widget(entry)


def _note(text: str) -> Gtk.Label:
    label = Gtk.Label(label=text, xalign=0.0, wrap=True, max_width_chars=48)
    label.get_style_context().add_class("dim-label")
    return label


def show_report(title: str, text: str) -> None:
    """Show a text that can be selected and copied."""
    GimpUi.init("colorize")
    dialog = GimpUi.Dialog(title=title, role="colorize-report", use_header_bar=0)
    dialog.add_button("_Close", Gtk.ResponseType.CLOSE)
    label = Gtk.Label(label=text, xalign=0.0, selectable=True, wrap=True, max_width_chars=90, margin=2 * SPACING)
    label.set_valign(Gtk.Align.START)
    dialog.get_content_area().pack_start(label, True, True, 0)
    dialog.show_all()
    dialog.run()
    dialog.destroy()
