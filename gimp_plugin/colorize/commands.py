"""What the menu entries under Filters > Colorize do.  Main thread only."""

from __future__ import annotations

import platform
import traceback
from typing import TYPE_CHECKING

import hints
import launcher
import palette
import protocol
import run
import source
from gi.repository import Gegl, Gimp, GLib, GObject
from language import _, counted

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "0.1.0"
PHOTOGRAPH = "plug-in-colorize-photograph"
AGAIN = "plug-in-colorize-again"
NEW_HINTS = "plug-in-colorize-new-hints"
PALETTE = "plug-in-colorize-palette"
START_SERVER = "plug-in-colorize-start-server"
DOCTOR = "plug-in-colorize-doctor"


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

            def check(layers: list[Gimp.Drawable]) -> None:
                run.find_source(image, layers, run.Wish.of_config(config, run_mode))

            picked = dialog.ask(procedure, config, image, drawables, connecting, check)
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
            # Repeat Colorize waits for this run, and GIMP 3.0 holds the image of a closed window no longer than that.
            # A returned layer would outlive it, stay in the table of items, and crash GIMP when it is looked up there.
            layer = None
        return _success(procedure, (Gimp.Layer, layer), (str, "\n".join(notes)))

    return _in_words(procedure, work)


def colorize_again(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    data: object,
) -> Gimp.ValueArray:
    """Run Filters > Colorize > Repeat Colorize: Colorize Photograph with the values that GIMP remembers."""

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


def new_hints_layer(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    data: object,
) -> Gimp.ValueArray:
    """Run Filters > Colorize > New Hints Layer."""

    def work() -> Gimp.ValueArray | None:
        source.refuse_floating_selection(image)
        photograph = source.photograph(image, drawables, hints.find_layers(image, hints.HINTS_NAME, must_exist=False))
        return _success(procedure, (Gimp.Layer, hints.new_layer(image, photograph)))

    return _in_words(procedure, work)


def suggested_colours(
    procedure: Gimp.Procedure,
    run_mode: Gimp.RunMode,
    image: Gimp.Image,
    drawables: list[Gimp.Drawable],
    config: Gimp.ProcedureConfig,
    data: object,
) -> Gimp.ValueArray:
    """Run Filters > Colorize > Suggested Colours."""

    def work() -> Gimp.ValueArray | None:
        source.refuse_floating_selection(image)
        found, places = palette.suggest(image, drawables)
        if run_mode != Gimp.RunMode.NONINTERACTIVE:
            text = counted(
                "The palette “{name}” holds the colours that the picked place may have "
                "(Windows > Dockable Dialogs > Palettes).",
                "The palette “{name}” holds the colours that the {count} picked places may have "
                "(Windows > Dockable Dialogs > Palettes).",
                places,
            )
            Gimp.message(text.format(name=found.get_name(), count=places))
        return _success(procedure, (str, found.get_name()))

    return _in_words(procedure, work)


def start_server(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, data: object) -> Gimp.ValueArray:
    """Run Filters > Colorize > Start Server."""

    def work() -> Gimp.ValueArray | None:
        Gimp.progress_init(_("Looking for the colorize server"))
        server, health = run.connect("").result_with_progress()
        text = _("The colorize server is ready at {address}: {model}, {backend}.").format(
            address=server.address, model=health.model, backend=health.backend
        )
        return _report(procedure, config, _("Colorize Server"), text)

    return _in_words(procedure, work)


def doctor(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, data: object) -> Gimp.ValueArray:
    """Run Filters > Colorize > Server Doctor."""
    return _in_words(procedure, lambda: _report(procedure, config, _("Server Doctor"), _diagnosis()))


def _diagnosis() -> str:
    """Tell what there is and what is wrong; starts nothing."""
    record = launcher.installed()
    command = " ".join(next(launcher.commands(), [_("none was found")]))
    lines = [
        _("Colorize plug-in {version}, GIMP {gimp}, Python {python}").format(
            version=VERSION, gimp=Gimp.version(), python=platform.python_version()
        ),
        _("Server's state file: {file}").format(file=launcher.state_file()),
        _("Command that starts the server: {command}").format(command=command),
    ]
    if record.get("version") and record["version"] != VERSION:
        lines.append(
            _("The plug-in was installed by colorize-server {version}: run 'colorize-server install gimp'.").format(
                version=record["version"]
            )
        )
    try:
        server, health = launcher.find()
    except protocol.ServerError as error:
        return "\n".join([*lines, _("Server: {problem}").format(problem=error)])
    reason = f" ({health.backend_reason})" if health.backend_reason else ""
    lines += [
        _("Server: colorize-server {version} at {address}, {state}").format(
            version=health.version, address=server.address, state=health.state
        ),
        _("Backend: {backend}").format(backend=health.backend) + reason,
        _("Model: {model}, sha256 {digest}").format(model=health.model, digest=health.model_sha256 or "-"),
        _("Detail: {sizes}").format(sizes=", ".join(f"{size} px" for size in health.sizes) or "-"),
    ]
    failure = health.failure()
    if failure:
        lines.append(_("The server cannot work: {failure}").format(failure=failure))
    return "\n".join(lines)


def _report(procedure: Gimp.Procedure, config: Gimp.ProcedureConfig, title: str, text: str) -> Gimp.ValueArray:
    """Show a text to the artist, or return it to a script."""
    if config.get_property("run-mode") == Gimp.RunMode.INTERACTIVE:
        import dialog  # needs a display, which a batch run does not have

        # What the progress bar said would stay as long as the window is open.
        Gimp.progress_end()
        dialog.show_report(title, text)
    return _success(procedure, (str, text))


def _success(procedure: Gimp.Procedure, *results: tuple[type, object]) -> Gimp.ValueArray:
    """Return the values of a procedure that succeeded, each with its type, in the order of its return arguments."""
    values = procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    for index, (kind, result) in enumerate(results, start=1):  # the status is value 0
        values.remove(index)
        values.insert(index, GObject.Value(kind, result))
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
        text = _(
            "Colorize met an error that it does not know ({error}). "
            "Nothing was changed; please report it with what Filters > Colorize > Server Doctor shows."
        ).format(error=f"{type(error).__name__}: {error}")
    else:
        return values or procedure.new_return_values(Gimp.PDBStatusType.SUCCESS, None)
    return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, GLib.Error(text))
