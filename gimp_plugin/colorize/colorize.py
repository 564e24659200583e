#!/usr/bin/env python3
"""Filters > Colorize: GIMP 3 asks the local colorize server for the colour of a photograph.

Here the menu entries and their arguments are described; commands.py holds what they do.  Everything runs on the main
thread; HTTP runs on a worker thread (progress.Task) and calls no GIMP.  GIMP wants this file to be executable and to be
named like its folder.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
# The siblings import gi.repository, whose versions have to be required first.
import commands
import hints
import source
from gi.repository import Gimp, Gio, GObject
from language import DOMAIN, FOLDER, _

if TYPE_CHECKING:
    from collections.abc import Callable

MENU = "<Image>/Filters/Colorize"
MAX_SIZE = 8192
READ_WRITE = GObject.ParamFlags.READWRITE
HELP_FOLDER = Path(__file__).with_name("help")


class Colorize(Gimp.PlugIn):
    """The plug-in: its procedures under Filters > Colorize."""

    def do_query_procedures(self) -> list[str]:
        """Name the procedures."""
        self.set_help_domain(DOMAIN, Gio.File.new_for_path(str(HELP_FOLDER)))
        return list(self._makers())

    def do_set_i18n(self, name: str) -> tuple[bool, str, str]:
        """Tell GIMP where the translations of the menu entries are."""
        return True, DOMAIN, FOLDER.name

    def do_create_procedure(self, name: str) -> Gimp.Procedure:
        """Describe one procedure."""
        return self._makers()[name](name)

    def _makers(self) -> dict[str, Callable[[str], Gimp.Procedure]]:
        return {
            commands.PHOTOGRAPH: self._photograph,
            commands.AGAIN: self._again,
            commands.NEW_HINTS: self._new_hints,
            commands.PALETTE: self._palette,
            commands.START_SERVER: self._start_server,
            commands.DOCTOR: self._doctor,
        }

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
        # GIMP 3.2 sorts menus by name: this label has to come before all others, in every language.
        procedure = self._image_procedure(name, commands.colorize_photograph, _("Colorize _Photograph..."))
        procedure.set_documentation(
            _("Colour a black-and-white photograph"),
            _(
                "Adds one layer in LCh Color mode that colours the photograph and leaves every grey value as it is. "
                "The colour is inferred by a model that runs in a server on this computer."
            ),
            name,
        )
        self._add_settings(procedure)
        self._add_switches(procedure)
        procedure.add_string_argument(
            "server",
            _("Server _address"),
            _("Empty for this computer's own server, which is started when it does not run"),
            "",
            READ_WRITE,
        )
        procedure.add_layer_return_value(
            "colour-layer", _("Colour layer"), _("The new layer; none in a run with the last values"), True, READ_WRITE
        )
        procedure.add_string_return_value(
            "notes", _("Notes"), _("What there is to know besides; may be empty"), "", READ_WRITE
        )
        return procedure

    def _add_settings(self, procedure: Gimp.Procedure) -> None:
        procedure.add_int_argument(
            "size",
            _("_Detail"),
            _("Short side of the picture that the model sees, in pixels; 0 is the model's choice"),
            0,
            MAX_SIZE,
            0,
            READ_WRITE,
        )
        procedure.add_double_argument(
            "saturation", _("Sa_turation"), _("Strength of the model's colours"), 0.0, 2.0, 1.0, READ_WRITE
        )
        procedure.add_string_argument(
            "hints-layer",
            _("Hi_nts layer"),
            _("Name of a transparent layer with strokes of colour; may be empty"),
            hints.HINTS_NAME,
            READ_WRITE,
        )
        scope = Gimp.Choice.new()
        for number, (nick, label, about) in enumerate(
            (
                (source.SCOPE_RETOUCHED, _("Retouched photograph"), _("The photograph with the layers that mend it")),
                (source.SCOPE_LAYER, _("Layer alone"), _("The photograph's own layer and nothing else")),
                (source.SCOPE_VISIBLE, _("Visible image"), _("What all layers together show")),
            )
        ):
            scope.add(nick, number, label, about)
        procedure.add_choice_argument(
            "scope", _("Sco_pe"), _("What is colorized"), scope, source.SCOPE_RETOUCHED, READ_WRITE
        )

    def _add_switches(self, procedure: Gimp.Procedure) -> None:
        for name, label, about, default in (
            (
                "touch-ups",
                _("Let my touch-_ups guide the colours"),
                _("Strokes on the layer Touch-ups are hints, too; grey ones ask for grey"),
                True,
            ),
            (
                "doubt",
                _("Add a hidden layer showing where the model _guesses"),
                _("The stronger its orange, the less the model is sure"),
                False,
            ),
            ("hide-previous", _("Hide _earlier results"), _("Never hides a result that you have changed"), False),
            (
                "recolour",
                _("Reco_lour the selection in the present colour layer"),
                _("Blends the new colour into the layer that is there, as softly as the selection's edge is"),
                False,
            ),
        ):
            procedure.add_boolean_argument(name, label, about, default, READ_WRITE)

    def _again(self, name: str) -> Gimp.Procedure:
        procedure = self._image_procedure(name, commands.colorize_again, _("Repeat C_olorize"))
        procedure.set_documentation(
            _("Colour a photograph with the last values"), _("Colorize Photograph without its dialog."), name
        )
        return procedure

    def _new_hints(self, name: str) -> Gimp.Procedure:
        procedure = self._image_procedure(name, commands.new_hints_layer, _("New _Hints Layer"))
        procedure.set_documentation(
            _("Add a layer for strokes of colour"),
            _("Adds an empty layer above the photograph and selects it: paint the colours that you know."),
            name,
        )
        procedure.add_layer_return_value("hints-layer", _("Hints layer"), _("The new layer"), False, READ_WRITE)
        return procedure

    def _palette(self, name: str) -> Gimp.Procedure:
        procedure = self._image_procedure(name, commands.suggested_colours, _("Suggested _Colours"))
        procedure.set_documentation(
            _("Ask for colours of a selected place"),
            _("Makes a palette of the colours that the selected place, or sample points, may have had."),
            name,
        )
        procedure.add_string_return_value("palette", _("Palette"), _("Name of the palette"), "", READ_WRITE)
        return procedure

    def _start_server(self, name: str) -> Gimp.Procedure:
        procedure = self._plain_procedure(name, commands.start_server, _("_Start Server"))
        procedure.set_documentation(
            _("Start the colorize server"), _("Starts the server when none runs, and waits for its model."), name
        )
        return procedure

    def _doctor(self, name: str) -> Gimp.Procedure:
        procedure = self._plain_procedure(name, commands.doctor, _("Server _Doctor"))
        procedure.set_documentation(
            _("Show server, backend and model"), _("Tells what runs where, and what is wrong."), name
        )
        return procedure

    def _plain_procedure(self, name: str, run: Callable[..., Gimp.ValueArray], label: str) -> Gimp.Procedure:
        procedure = Gimp.Procedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_sensitivity_mask(Gimp.ProcedureSensitivityMask.ALWAYS)
        procedure.add_enum_argument(
            "run-mode", _("Run mode"), _("The run mode"), Gimp.RunMode, Gimp.RunMode.INTERACTIVE, READ_WRITE
        )
        procedure.add_string_return_value("report", _("Report"), _("What was found"), "", READ_WRITE)
        return self._in_menu(procedure, label)


if __name__ == "__main__":
    Gimp.main(Colorize.__gtype__, sys.argv)
