"""Runs inside GIMP (python-fu-eval) and does what the tests outside ask for, one JSON line at a time.

Requests come through one named pipe and answers go through another; images and layers travel as their numbers.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp, Gio  # noqa: E402 - the versions come first

PARASITE = "colorize-server"
_displays = []


def serve(folder):
    """Answer requests until the one named quit."""
    Gegl.init(None)
    folder = Path(folder)
    with (folder / "requests").open(encoding="utf-8") as requests, (folder / "answers").open("w") as answers:
        for line in requests:
            request = json.loads(line)
            if request["call"] == "quit":
                answers.write('{"value": null}\n')
                answers.flush()
                return
            try:
                answer = {"value": globals()[request["call"]](**request["arguments"])}
            except Exception:  # noqa: BLE001 - goes to the test as text
                answer = {"error": traceback.format_exc()}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
            sys.stdout.flush()


def _image(number):
    return Gimp.Image.get_by_id(number)


def _layers(image):
    found, pending = [], list(image.get_layers())
    while pending:
        layer = pending.pop(0)
        found.append(layer)
        if layer.is_group():
            pending[:0] = layer.get_children()
    return found


def _area(drawable):
    return Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())


def _colour(rgb):
    # Written as on the web: set_rgba() would take linear light.
    return Gegl.Color.new("#{:02x}{:02x}{:02x}".format(*rgb))


def open_image(path, with_display=False):
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path))
    if with_display:
        image.undo_enable()  # it is off in images that a plug-in opens
        _displays.append(Gimp.Display.new(image))
    return {"image": image.get_id(), "layers": [layer.get_id() for layer in image.get_layers()]}


def new_image(width, height, base="RGB", precision="U8_NON_LINEAR", with_display=False):
    image = Gimp.Image.new_with_precision(
        width, height, getattr(Gimp.ImageBaseType, base), getattr(Gimp.Precision, precision)
    )
    if with_display:
        _displays.append(Gimp.Display.new(image))
    return image.get_id()


def add_layer(image, name, width, height, pixels=None, pixel_format="R'G'B'A u8", x=0, y=0, group=None, position=0):
    """Add a layer; ``pixels`` is the path of a raw file, without it the layer is empty (transparent)."""
    image = _image(image)
    kind = {0: Gimp.ImageType.RGBA_IMAGE, 1: Gimp.ImageType.GRAYA_IMAGE}[int(image.get_base_type())]
    if pixels and "A" not in pixel_format:
        kind = {0: Gimp.ImageType.RGB_IMAGE, 1: Gimp.ImageType.GRAY_IMAGE}[int(image.get_base_type())]
    layer = Gimp.Layer.new(image, name, width, height, kind, 100.0, Gimp.LayerMode.NORMAL)
    image.insert_layer(layer, Gimp.Layer.get_by_id(group) if group else None, position)
    layer.set_offsets(x, y)
    if pixels:
        put_pixels(layer.get_id(), Path(pixels).read_bytes(), pixel_format)
    return layer.get_id()


def put_pixels(layer, pixels, pixel_format):
    drawable = Gimp.Drawable.get_by_id(layer)
    buffer = drawable.get_buffer()
    buffer.set(_area(drawable), pixel_format, pixels)
    buffer.flush()
    drawable.update(0, 0, drawable.get_width(), drawable.get_height())


def add_channel(image, name):
    image = _image(image)
    channel = Gimp.Channel.new(image, name, image.get_width(), image.get_height(), 50.0, _colour([0, 0, 0]))
    image.insert_channel(channel, None, 0)
    return channel.get_id()


def add_group(image, name, mode="NORMAL"):
    image = _image(image)
    group = Gimp.GroupLayer.new(image, name)
    group.set_mode(getattr(Gimp.LayerMode, mode))
    image.insert_layer(group, None, 0)
    return group.get_id()


def move_into(image, layer, group):
    _image(image).reorder_item(Gimp.Layer.get_by_id(layer), Gimp.Layer.get_by_id(group), 0)


def add_text_layer(image, text, size):
    image = _image(image)
    font = Gimp.context_get_font()
    layer = Gimp.TextLayer.new(image, text, font, size, Gimp.Unit.pixel())
    image.insert_layer(layer, None, 0)
    return layer.get_id()


def convert(image, base=None, precision=None, profile=None):
    """Convert an image; ``profile`` is a constructor of Gimp.ColorProfile."""
    image = _image(image)
    if base == "RGB" and image.get_base_type() != Gimp.ImageBaseType.RGB:
        image.convert_rgb()
    if base == "GRAY":
        image.convert_grayscale()
    if base == "INDEXED":
        image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 64, False, False, "")
    if precision and image.get_precision() != getattr(Gimp.Precision, precision):
        image.convert_precision(getattr(Gimp.Precision, precision))
    if profile:
        new = getattr(Gimp.ColorProfile, profile)()
        if not image.convert_color_profile(new, Gimp.ColorRenderingIntent.RELATIVE_COLORIMETRIC, True):
            raise ValueError(f"{profile} was refused")


def add_alpha(layer, clear=None):
    """Give a layer alpha; ``clear`` = x, y, width, height of an area to be erased."""
    layer = Gimp.Layer.get_by_id(layer)
    layer.add_alpha()
    if clear:
        image = layer.get_image()
        image.select_rectangle(Gimp.ChannelOps.REPLACE, *clear)
        layer.edit_clear()
        Gimp.Selection.none(image)


def add_filter(layer, operation, **values):
    """Append a non-destructive filter, as Colors > Levels and the like do."""
    layer = Gimp.Drawable.get_by_id(layer)
    new = Gimp.DrawableFilter.new(layer, operation, operation)
    config = new.get_config()
    for name, value in values.items():
        config.set_property(name, value)
    new.update()
    layer.append_filter(new)


def change(layer, **values):
    """Set properties of a layer as the Layers dialog does: name, opacity, mode."""
    layer = Gimp.Layer.get_by_id(layer)
    for name, value in values.items():
        value = getattr(Gimp.LayerMode, value) if name == "mode" else value
        getattr(layer, f"set_{name}")(value)


def duplicate_layer(layer, position):
    layer = Gimp.Layer.get_by_id(layer)
    copy = layer.copy()
    layer.get_image().insert_layer(copy, None, position)
    return copy.get_id()


def move_to(image, layer, position):
    _image(image).reorder_item(Gimp.Layer.get_by_id(layer), None, position)


def duplicate_image(image):
    copy = _image(image).duplicate()
    return {"image": copy.get_id(), "layers": [layer.get_id() for layer in _layers(copy)]}


def scale_image(image, width, height):
    _image(image).scale(width, height)


def flip_image(image):
    _image(image).flip(Gimp.OrientationType.HORIZONTAL)


def set_offsets(layer, x, y):
    Gimp.Layer.get_by_id(layer).set_offsets(x, y)


def delete_layer(layer):
    layer = Gimp.Layer.get_by_id(layer)
    layer.get_image().remove_layer(layer)


def set_visible(layer, visible):
    Gimp.Layer.get_by_id(layer).set_visible(visible)


def lock(layer, content=False, position=False, visibility=False):
    layer = Gimp.Layer.get_by_id(layer)
    layer.set_lock_content(content)
    layer.set_lock_position(position)
    layer.set_lock_visibility(visibility)


def draw_line(layer, rgb, points, width):
    """Draw with GIMP's own pencil, as the artist does."""
    Gimp.context_set_foreground(_colour(rgb))
    brush = Gimp.Brush.new("hard")
    brush.set_hardness(1.0)
    Gimp.context_set_brush(brush)
    Gimp.context_set_brush_size(width)
    if not Gimp.pencil(Gimp.Layer.get_by_id(layer), points):
        raise ValueError("the pencil did not draw")


def brush_line(layer, rgb, points, width, hardness=0.5, opacity=100.0):
    """Draw with GIMP's paintbrush, whose edges are soft."""
    Gimp.context_set_foreground(_colour(rgb))
    brush = Gimp.Brush.new("soft")
    brush.set_hardness(hardness)
    Gimp.context_set_brush(brush)
    Gimp.context_set_brush_size(width)
    Gimp.context_set_opacity(opacity)
    Gimp.context_set_paint_mode(Gimp.LayerMode.NORMAL)
    try:
        if not Gimp.paintbrush_default(Gimp.Layer.get_by_id(layer), points):
            raise ValueError("the brush did not draw")
    finally:
        Gimp.context_set_opacity(100.0)


def erase(layer, points, width):
    Gimp.context_set_brush_size(width)
    if not Gimp.eraser_default(Gimp.Layer.get_by_id(layer), points):
        raise ValueError("the eraser did not erase")


def select(image, x, y, width, height):
    _image(image).select_rectangle(Gimp.ChannelOps.REPLACE, x, y, width, height)


def add_sample_point(image, x, y):
    _image(image).add_sample_point(x, y)


def palette(name):
    """Return names and R'G'B' of a palette's colours."""
    palette = Gimp.Palette.get_by_name(name)
    entries = []
    for index in range(palette.get_color_count()):
        colour = palette.get_entry_color(index)
        label = palette.get_entry_name(index)
        rgba = colour.get_rgba()
        linear = rgba[:3] if len(rgba) == 4 else rgba[1:4]
        encoded = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear]
        entries.append([label if isinstance(label, str) else label[1], [round(255 * v) for v in encoded]])
    return entries


def palettes():
    """Return the names of the palettes that GIMP has."""
    return [palette.get_name() for palette in Gimp.palettes_get_list("")]


def call_for_text(image, drawables, procedure):
    """Run a procedure of the plug-in that returns a text."""
    procedure = Gimp.get_pdb().lookup_procedure(procedure)
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", _image(image))
    config.set_core_object_array("drawables", [Gimp.Item.get_by_id(number) for number in drawables])
    result = procedure.run(config)
    succeeded = result.index(0) == Gimp.PDBStatusType.SUCCESS
    return {
        "status": result.index(0).value_nick,
        "text": result.index(1) if succeeded else "",
        "error": "" if succeeded else Gimp.get_pdb().get_last_error(),
    }


def select_layers(image, layers):
    _image(image).set_selected_layers([Gimp.Layer.get_by_id(layer) for layer in layers])


def select_none(image):
    Gimp.Selection.none(_image(image))


def feather(image, radius):
    Gimp.Selection.feather(_image(image), radius)


def float_selection(layer):
    return bool(Gimp.Selection.float(Gimp.Layer.get_by_id(layer).get_image(), [Gimp.Layer.get_by_id(layer)], 5, 5))


def add_mask(layer, hide=None):
    """Give a layer a white mask, black in the area ``hide``; returns the mask's number."""
    layer = Gimp.Layer.get_by_id(layer)
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    if hide:
        fill(mask.get_id(), hide, [0, 0, 0])
    return mask.get_id()


def fill(drawable, area, rgb):
    """Fill an area of a drawable with a colour, as a bucket fill on a selection does."""
    drawable = Gimp.Drawable.get_by_id(drawable)
    image = drawable.get_image()
    image.select_rectangle(Gimp.ChannelOps.REPLACE, *area)
    Gimp.context_set_foreground(_colour(rgb))
    drawable.edit_fill(Gimp.FillType.FOREGROUND)
    Gimp.Selection.none(image)


def colorize(image, drawables, procedure="plug-in-colorize-photograph", run_mode="NONINTERACTIVE", **values):
    """Run a procedure of the plug-in on an image; returns its status, error text and new layer."""
    procedure = Gimp.get_pdb().lookup_procedure(procedure)
    config = procedure.create_config()
    config.set_property("run-mode", getattr(Gimp.RunMode, run_mode))
    config.set_property("image", _image(image))
    config.set_core_object_array("drawables", [Gimp.Item.get_by_id(number) for number in drawables])
    for name, value in values.items():
        config.set_property(name, value)
        if (config.get_property(name) or type(value)()) != value:
            raise ValueError(f"{name} does not take {value!r}")
    result = procedure.run(config)
    status = result.index(0)
    layer = result.index(1) if status == Gimp.PDBStatusType.SUCCESS and result.length() > 1 else None
    return {
        "status": status.value_nick,
        "error": "" if status == Gimp.PDBStatusType.SUCCESS else Gimp.get_pdb().get_last_error(),
        "layer": layer.get_id() if layer else None,
        "notes": result.index(2) or "" if layer and result.length() > 2 else "",
    }


def timed_colorize(**arguments):
    began = time.perf_counter()
    result = colorize(**arguments)
    return time.perf_counter() - began, result


def time_bare_read_and_write(layer):
    """Return the seconds that reading a layer as lightness, and writing a new one as RGB, take by themselves."""
    layer = Gimp.Layer.get_by_id(layer)
    began = time.perf_counter()
    grey = layer.get_buffer().get(_area(layer), 1.0, "Y' u8", Gegl.AbyssPolicy.NONE)
    read = time.perf_counter() - began
    colour = grey * 3
    new = Gimp.Layer.new(
        layer.get_image(), "new", layer.get_width(), layer.get_height(), Gimp.ImageType.RGB_IMAGE, 100.0,
        Gimp.LayerMode.NORMAL,
    )  # fmt: skip
    began = time.perf_counter()
    buffer = new.get_buffer()
    buffer.set(_area(new), "R'G'B' u8", colour)
    buffer.flush()
    new.update(0, 0, new.get_width(), new.get_height())
    written = time.perf_counter() - began
    new.delete()
    return read, written


def report(procedure):
    """Run Start Server or Server Doctor; returns status, error text and report."""
    procedure = Gimp.get_pdb().lookup_procedure(procedure)
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    result = procedure.run(config)
    status = result.index(0)
    succeeded = status == Gimp.PDBStatusType.SUCCESS
    return {
        "status": status.value_nick,
        "error": "" if succeeded else Gimp.get_pdb().get_last_error(),
        "report": result.index(1) if succeeded else "",
    }


def menu_entries(procedures):
    """Return label and menu paths of each procedure that GIMP knows."""
    known = {}
    for name in procedures:
        procedure = Gimp.get_pdb().lookup_procedure(name)
        if procedure:
            known[name] = [procedure.get_menu_label(), procedure.get_menu_paths()]
    return known


def describe(image):
    image = _image(image)
    return {
        "base": image.get_base_type().value_nick,
        "precision": image.get_precision().value_nick,
        "dirty": image.is_dirty(),
        "selected": [layer.get_id() for layer in image.get_selected_layers()],
        "selection_empty": Gimp.Selection.is_empty(image),
        "parasite": _parasite(image),
        "layers": [_describe_layer(image, layer) for layer in _layers(image)],
    }


def _describe_layer(image, layer):
    _, x, y = layer.get_offsets()
    return {
        "id": layer.get_id(),
        "tattoo": layer.get_tattoo(),
        "name": layer.get_name(),
        "kind": type(layer).__name__,
        "mode": layer.get_mode().value_nick,
        "opacity": layer.get_opacity(),
        "offsets": [x, y],
        "size": [layer.get_width(), layer.get_height()],
        "parent": layer.get_parent().get_id() if layer.get_parent() else None,
        "position": image.get_item_position(layer),
        "visible": layer.get_visible(),
        "alpha": layer.has_alpha(),
        "mask": layer.get_mask().get_id() if layer.get_mask() else None,
        "edits_mask": layer.get_edit_mask() if layer.get_mask() else False,
        "spaces": [layer.get_blend_space().value_nick, layer.get_composite_space().value_nick],
        "composite_mode": layer.get_composite_mode().value_nick,
        "parasite": _parasite(layer),
    }


def _parasite(holder):
    parasite = holder.get_parasite(PARASITE)
    return json.loads(bytes(parasite.get_data())) if parasite else None


def dump(drawable, path, pixel_format):
    """Write a drawable's pixels as a raw file."""
    drawable = Gimp.Drawable.get_by_id(drawable)
    data = drawable.get_buffer().get(_area(drawable), 1.0, pixel_format, Gegl.AbyssPolicy.NONE)
    Path(path).write_bytes(data)


def dump_visible(image, path, pixel_format):
    """Write what the image shows as a raw file."""
    image = _image(image)
    layer = Gimp.Layer.new_from_visible(image, image, "visible")
    data = layer.get_buffer().get(_area(layer), 1.0, pixel_format, Gegl.AbyssPolicy.NONE)
    layer.delete()
    Path(path).write_bytes(data)


def save(image, path):
    Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, _image(image), Gio.File.new_for_path(path), None)


def export(image, path, procedure):
    """Export with all metadata, as the artist who ticks them does."""
    procedure = Gimp.get_pdb().lookup_procedure(procedure)
    config = procedure.create_config()
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    config.set_property("image", _image(image))
    config.set_property("file", Gio.File.new_for_path(path))
    for kind in ("xmp", "iptc", "exif"):
        config.set_property(f"include-{kind}", True)
    if procedure.run(config).index(0) != Gimp.PDBStatusType.SUCCESS:
        raise ValueError(Gimp.get_pdb().get_last_error())


def open_images():
    return [image.get_id() for image in Gimp.get_images()]


def close(image):
    _image(image).delete()


def flush():
    """Show in the windows what was done."""
    Gimp.displays_flush()


def close_displays():
    """Close every window of every image, as the artist would; an image ends with its window."""
    while _displays:
        display = _displays.pop()
        if display.is_valid():
            display.delete()


def process_ids():
    return {"driver": os.getpid()}
