#!/usr/bin/env python3
"""Filters > Colorize: GIMP 3 asks the local colorize server for the colour of a photograph.

Everything here runs on the plug-in's main thread; HTTP runs on a worker thread (progress.Task) and calls no GIMP.
GIMP wants this file to be executable and to be named like its folder.
"""

from __future__ import annotations

import platform
import sys
import traceback
from typing import TYPE_CHECKING

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
# The siblings import gi.repository, whose versions have to be required first.
import hints
import launcher
import protocol
import run
import source
from gi.repository import Gegl, Gimp, GLib, GObject

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "0.1.0"
PHOTOGRAPH = "plug-in-colorize-photograph"
AGAIN = "plug-in-colorize-again"
START_SERVER = "plug-in-colorize-start-server"
DOCTOR = "plug-in-colorize-doctor"
MENU = "<Image>/Filters/Colorize"
MAX_SIZE = 8192
READ_WRITE = GObject.ParamFlags.READWRITE


def colorize_photograph(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    data: object,
) -> Gimp.ValueArray:
    """Run Filters > Colorize > Colorize Photograph."""

    def work() -> Gimp.ValueArray | None:
        connecting = None
        meant = drawables
        if run_mode == Gimp.RunMode.INTERACTIVE:
            import dialog  # needs a display, which a batch run does not have

            # What no setting could mend is refused before the artist fills in a dialog.
            source.refuse_floating_selection(image)
            address = run.text_of(config, "server")
            connecting = run.connect(address)
            picked = dialog.ask(procedure, config, image, drawables, connecting)
            if picked is None:
                return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
            meant = picked
            # What was found when the dialog opened may have ended, or have been started, while it was open.
            if connecting.is_done or run.text_of(config, "server") != address:
                connecting = None
        wish = run.Wish.of_config(config, run_mode)
        chosen = run.find_source(image, meant, wish)
        layer, notes = run.colorize(chosen, wish, connecting or run.connect(wish.server))
        if run_mode != Gimp.RunMode.NONINTERACTIVE:
            for note in notes:
                Gimp.message(note)
        if run_mode == Gimp.RunMode.WITH_LAST_VALS:
            # Colorize Again waits for this run, and GIMP 3.0 holds the image of a closed window no longer than that.
            # A returned layer would outlive it, stay in the table of items, and crash GIMP when it is looked up there.
            layer = None
        values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
        for index, value in ((1, GObject.Value(Gimp.Layer, layer)), (2, GObject.Value(str, "\n".join(notes)))):
            values.remove(index)
            values.insert(index, value)
        return values

    return _in_words(procedure, work)


def colorize_again(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    data: object,
) -> Gimp.ValueArray:
    """Run Filters > Colorize > Colorize Again: Colorize Photograph with the values that GIMP remembers."""

    def work() -> Gimp.ValueArray | None:
        again = Gimp.get_pdb().lookup_procedure(PHOTOGRAPH)
        values = again.create_config()
        values.set_property("run-mode", Gimp.RunMode.WITH_LAST_VALS)
        values.set_property("image", image)
        values.set_core_object_array("drawables", drawables)
        result = again.run(values)
        if result.index(0) == Gimp.PDBStatusType.CANCEL:
            return procedure.new_return_values(Gimp.PDBStatusType.CANCEL, None)
        if result.index(0) != Gimp.PDBStatusType.SUCCESS:
            raise source.RefusalError(Gimp.get_pdb().get_last_error())
        return None

    return _in_words(procedure, work)


def start_server(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, data: object) -> Gimp.ValueArray:
    """Run Filters > Colorize > Start Server."""

    def work() -> Gimp.ValueArray | None:
        Gimp.progress_init("Looking for the colorize server")
        server, health = run.connect("").result_with_progress()
        text = f"The colorize server is ready at {server.address}: {health.model}, {health.backend}."
        return _report(procedure, config, "Colorize Server", text)

    return _in_words(procedure, work)


def doctor(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, data: object) -> Gimp.ValueArray:
    """Run Filters > Colorize > About and Doctor."""
    return _in_words(procedure, lambda: _report(procedure, config, "About and Doctor", _diagnosis()))


def _diagnosis() -> str:
    """Tell what there is and what is wrong; starts nothing."""
    record = launcher.installed()
    command = " ".join(next(launcher.commands(), ["none was found"]))
    lines = [
        f"Colorize plug-in {VERSION}, GIMP {Gimp.version()}, Python {platform.python_version()}",
        f"Server's state file: {launcher.state_file()}",
        f"Command that starts the server: {command}",
    ]
    if record.get("version") and record["version"] != VERSION:
        lines.append(
            f"The plug-in was installed by colorize-server {record['version']}: run 'colorize-server install gimp'."
        )
    try:
        server, health = launcher.find()
    except protocol.ServerError as error:
        return "\n".join([*lines, f"Server: {error}"])
    lines += [
        f"Server: colorize-server {health.version} at {server.address}, {health.state}",
        f"Backend: {health.backend}" + (f" ({health.backend_reason})" if health.backend_reason else ""),
        f"Model: {health.model}, sha256 {health.model_sha256 or '-'}",
        f"Detail: {', '.join(f'{size} px' for size in health.sizes) or '-'}",
    ]
    failure = health.failure()
    return "\n".join([*lines, f"The server cannot work: {failure}"] if failure else lines)


def _report(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, title: str, text: str) -> Gimp.ValueArray:
    """Show a text to the artist, or return it to a script."""
    if config.get_property("run-mode") == Gimp.RunMode.INTERACTIVE:
        import dialog  # needs a display, which a batch run does not have

        dialog.show_report(title, text)
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    values.remove(1)
    values.insert(1, GObject.Value(str, text))
    return values


def _in_words(procedure: Gimp.Procedure, work: Callable[[], Gimp.ValueArray | None]) -> Gimp.ValueArray:
    """Run a procedure; whatever goes wrong becomes one message and EXECUTION_ERROR with the same text."""
    Gegl.init(None)
    # A call that fails is told once, by our own message, not in a box of GIMP's for each call.
    Gimp.get_plug_in().set_pdb_error_handler(Gimp.PDBErrorHandler.PLUGIN)
    try:
        values = work()
    except (protocol.ServerError, source.RefusalError) as error:
        text = str(error)
    except Exception as error:  # noqa: BLE001 - GIMP would show "execution error" and nothing else
        traceback.print_exc()
        text = (
            f"Colorize met an error that it does not know ({type(error).__name__}: {error}). "
            "Nothing was changed; please report it with what Filters > Colorize > About and Doctor shows."
        )
    else:
        return values or procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(text))


class Colorize(Gimp.PlugIn):
    """The plug-in: four procedures under Filters > Colorize."""

    def do_query_procedures(self) -> list[str]:
        """Name the procedures."""
        return [PHOTOGRAPH, AGAIN, START_SERVER, DOCTOR]

    def do_set_i18n(self, name: str) -> bool:
        """Tell GIMP that there are no translations yet."""
        return False

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        """Describe one procedure."""
        return {
            PHOTOGRAPH: self._photograph,
            AGAIN: self._again,
            START_SERVER: self._start_server,
            DOCTOR: self._doctor,
        }[name](name)

    def _image_procedure(self, name: str, run: Callable[..., Gimp.ValueArray], label: str) -> Gimp.ImageProcedure:
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("*")
        mask = Gimp.ProcedureSensitivityMask
        # Several layers are accepted by the menu and refused in words: a grey menu entry explains nothing.
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES | mask.NO_DRAWABLES)
        return self._in_menu(procedure, label)

    def _in_menu(self, procedure: Gimp.Procedure, label: str) -> Gimp.Procedure:
        procedure.set_menu_label(label)
        procedure.add_menu_path(MENU)
        procedure.set_attribution("colorize-server", "colorize-server", "2026")
        return procedure

    def _photograph(self, name: str) -> Gimp.Procedure:
        procedure = self._image_procedure(name, colorize_photograph, "Colorize _Photograph...")
        procedure.set_documentation(
            "Colour a black-and-white photograph",
            "Adds one layer in LCh Color mode that colours the photograph and leaves every grey value as it is. "
            "The colour is inferred by a model that runs in a server on this computer.",
            name,
        )
        procedure.add_int_argument(
            "size", "_Detail", "Short side of the picture that the model sees, in pixels; 0 is the model's choice",
            0, MAX_SIZE, 0, READ_WRITE,
        )  # fmt: skip
        procedure.add_double_argument(
            "saturation", "Sa_turation", "Strength of the model's colours", 0.0, 2.0, 1.0, READ_WRITE
        )
        procedure.add_string_argument(
            "hints-layer", "Hi_nts layer", "Name of a transparent layer with strokes of colour; may be empty",
            hints.HINTS_NAME, READ_WRITE,
        )  # fmt: skip
        scope = Gimp.Choice.new()
        scope.add(source.SCOPE_RETOUCHED, 0, "Retouched photograph", "The photograph with the layers that mend it")
        scope.add(source.SCOPE_LAYER, 1, "Layer alone", "The photograph's own layer and nothing else")
        scope.add(source.SCOPE_VISIBLE, 2, "Visible image", "What all layers together show")
        procedure.add_choice_argument("scope", "Sco_pe", "What is colorized", scope, source.SCOPE_RETOUCHED, READ_WRITE)
        procedure.add_boolean_argument(
            "touch-ups", "Let my touch-_ups guide the colours", "Strokes on the layer Touch-ups are hints, too", True,
            READ_WRITE,
        )  # fmt: skip
        procedure.add_boolean_argument(
            "doubt",
            "Add a hidden layer showing where the model _guesses",
            "Bright where the model is unsure",
            False,
            READ_WRITE,
        )
        procedure.add_boolean_argument(
            "hide-previous", "Hide _earlier results", "Never hides a result that you have painted on", False, READ_WRITE
        )
        procedure.add_string_argument(
            "server", "Server _address", "Empty for this computer's own server, which is started when it does not run",
            "", READ_WRITE,
        )  # fmt: skip
        procedure.add_layer_return_value(
            "colour-layer", "Colour layer", "The new layer; none in a run with the last values", True, READ_WRITE
        )
        procedure.add_string_return_value("notes", "Notes", "What there is to know besides; may be empty", "", READ_WRITE)
        return procedure

    def _again(self, name: str) -> Gimp.Procedure:
        procedure = self._image_procedure(name, colorize_again, "Colorize A_gain")
        procedure.set_documentation(
            "Colour a photograph with the last values", "Colorize Photograph without its dialog.", name
        )
        return procedure

    def _start_server(self, name: str) -> Gimp.Procedure:
        procedure = self._plain_procedure(name, start_server, "_Start Server")
        procedure.set_documentation(
            "Start the colorize server", "Starts the server when none runs, and waits for its model.", name
        )
        return procedure

    def _doctor(self, name: str) -> Gimp.Procedure:
        procedure = self._plain_procedure(name, doctor, "A_bout and Doctor")
        procedure.set_documentation("Show server, backend and model", "Tells what runs where, and what is wrong.", name)
        return procedure

    def _plain_procedure(self, name: str, run: Callable[..., Gimp.ValueArray], label: str) -> Gimp.Procedure:
        procedure = Gimp.Procedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.ALWAYS)
        procedure.add_enum_argument(
            "run-mode", "Run mode", "The run mode", Gimp.RunMode, Gimp.RunMode.INTERACTIVE, READ_WRITE
        )
        procedure.add_string_return_value("report", "Report", "What was found", "", READ_WRITE)
        return self._in_menu(procedure, label)


if __name__ == "__main__":
    Gimp.main(Colorize.__gtype__, sys.argv)
