"""Pack a UXP panel as .ccx: a plain zip whose manifest keeps Adobe's rules, the same bytes every time.

The rules are those of Adobe's packager and of the manifest's documentation (version 5), restated here because that
packager cannot be installed without an account.  Run as ``python -m colorize_server.install.ccx`` in a checkout.
"""

import argparse
import json
import re
import stat
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ..errors import ColorizeError

PACKAGE_NAME: Final = "colorize-panel.ccx"
"""Name of the packed panel, in the wheel and where it is handed out."""
SUFFIXES: Final = (".json", ".html", ".css", ".js", ".png", ".txt")
"""Kinds of file that a panel is made of; everything else stays out (types, documents, dot-files)."""
TOP_LEVEL_PICTURES: Final = ".png"
"""Pictures beside the manifest are the README's screenshots; the panel's own lie in icons/."""
MAX_ICON_BYTES: Final = 1 << 20
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the archive: the earliest that a zip can hold."""

_REQUIRED: Final = ("manifestVersion", "id", "name", "version", "main", "host", "entrypoints", "icons")
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


class BrokenPanelError(ColorizeError):
    """A panel that Photoshop or Adobe's installer would refuse."""


def pack(panel: Path, folder: Path) -> Path:
    """Check a panel and write it as ``ID_PS.ccx`` into `folder`.

    Args:
        panel: folder with manifest.json.
        folder: created if it is not there.

    Returns:
        The archive.

    Raises:
        BrokenPanelError: the panel breaks a rule; the message names all that are broken.
    """
    broken = list(broken_rules(panel))
    if broken:
        raise BrokenPanelError(f"The panel in {panel} is broken: {'; '.join(broken)}.", "Mend its manifest and files.")
    manifest = _manifest(panel)
    archive = folder / f"{manifest['id']}_{manifest['host']['app']}.ccx"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as package:
        for name, file in sorted(_files(panel)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # the same on every system that packs
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            package.writestr(entry, file.read_bytes())
    return archive


def _files(panel: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name in the archive and the file of everything that belongs to the panel."""
    for file in panel.rglob("*"):
        parts = file.relative_to(panel).parts
        is_hidden = any(part.startswith(".") or part == "node_modules" for part in parts)
        is_screenshot = len(parts) == 1 and file.suffix == TOP_LEVEL_PICTURES
        if file.is_file() and file.suffix in SUFFIXES and not is_hidden and not is_screenshot:
            yield "/".join(parts), file
    for licence in ("LICENSE", "NOTICE"):
        if (panel.parent / licence).is_file():
            yield licence, panel.parent / licence


def _manifest(panel: Path) -> dict[str, Any]:
    manifest = json.loads((panel / "manifest.json").read_text(encoding="utf-8"))
    if not isinstance(manifest, dict):
        raise TypeError("manifest.json is not an object")
    return manifest


def broken_rules(panel: Path) -> Iterator[str]:
    """Yield each rule that the panel breaks, in words."""
    try:
        manifest = _manifest(panel)
    except (OSError, ValueError, TypeError) as error:
        yield f"manifest.json cannot be read ({error})"
        return
    missing = [name for name in _REQUIRED if name not in manifest]
    yield from (f"the manifest lacks {name}" for name in missing)
    if missing:
        return
    yield from _broken_identity(manifest)
    if not (panel / str(manifest["main"])).is_file():
        yield f"main names {manifest['main']}, which is not there"
    yield from _broken_entrypoints(manifest)
    yield from _broken_icons(panel, manifest)
    yield from _broken_permissions(manifest)
    yield from _broken_code(panel, manifest)


def _broken_identity(manifest: dict[str, Any]) -> Iterator[str]:
    if manifest["manifestVersion"] != 5:
        yield "manifestVersion is not 5"
    if not re.fullmatch(r"[A-Za-z0-9._-]+", str(manifest["id"])):
        yield "id is not made of letters, digits, dots and hyphens"
    if not 3 <= len(str(manifest["name"])) <= 45:
        yield "name is not 3 to 45 characters long"
    if not re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{1,2}", str(manifest["version"])):
        yield "version is not x.y.z with parts of 0 to 99"
    host = manifest["host"]
    if not isinstance(host, dict):
        yield "host must be one object in a package"
    elif host.get("app") != "PS" or not re.fullmatch(r"\d+\.\d+(\.\d+)?", str(host.get("minVersion", ""))):
        yield "host needs app PS and minVersion x.y.z"


def _broken_entrypoints(manifest: dict[str, Any]) -> Iterator[str]:
    entrypoints = manifest["entrypoints"]
    if not entrypoints:
        yield "there is no entrypoint"
    ids = [entry.get("id") for entry in entrypoints]
    if len(set(ids)) != len(ids) or None in ids:
        yield "entrypoints need an id each, no two the same"
    for entry in entrypoints:
        if entry.get("type") not in ("panel", "command"):
            yield f"entrypoint {entry.get('id')} is neither panel nor command"
        if not entry.get("label"):
            yield f"entrypoint {entry.get('id')} has no label"
        if entry.get("type") == "panel" and not entry.get("icons"):
            yield f"panel {entry.get('id')} has no icons"


def _broken_icons(panel: Path, manifest: dict[str, Any]) -> Iterator[str]:
    icons = [*manifest["icons"], *(icon for entry in manifest["entrypoints"] for icon in entry.get("icons", []))]
    for icon in icons:
        path = PurePosixPath(icon["path"])
        if "@" in path.name:
            yield f"the icon path {path} names a scale; only the files do"
            continue
        for scale in icon.get("scale", [1]):
            file = panel / path.with_name(f"{path.stem}@{scale}x{path.suffix}")
            if scale == 1 and not file.is_file():
                file = panel / path
            if not file.is_file():
                yield f"the icon {path} has no file for scale {scale}"
                continue
            data = file.read_bytes()
            if len(data) > MAX_ICON_BYTES:
                yield f"{file.name} is larger than 1 MB"
            if not data.startswith(_PNG_SIGNATURE):
                yield f"{file.name} is no PNG"
            elif struct.unpack(">II", data[16:24]) != (icon["width"] * scale, icon["height"] * scale):
                yield f"{file.name} is not as large as the manifest says"


def _broken_permissions(manifest: dict[str, Any]) -> Iterator[str]:
    domains = manifest.get("requiredPermissions", {}).get("network", {}).get("domains", [])
    if isinstance(domains, str):
        if domains != "all":
            yield 'domains is neither a list nor "all"'
        return
    for domain in domains:
        if domain in ("all", "*"):
            yield f'"{domain}" in a list of domains silently denies the others'
        elif not re.fullmatch(r"(https?|wss?)://[^/\s]+", domain):
            yield f"the domain {domain} needs a scheme and no path"
        elif re.search(r"\*(:\d+)?$", domain):
            yield f"the domain {domain} ends with a wildcard, which UXP 7.4 and later refuse"


def _broken_code(panel: Path, manifest: dict[str, Any]) -> Iterator[str]:
    if manifest.get("requiredPermissions", {}).get("allowCodeGenerationFromStrings"):
        return
    for name, file in _files(panel):
        if file.suffix == ".html" and re.search(r"\son[a-z]+\s*=", file.read_text(encoding="utf-8")):
            yield f"{name} has an inline handler, which needs allowCodeGenerationFromStrings"
        if file.suffix == ".js" and re.search(r"\beval\s*\(|\bnew Function\b", file.read_text(encoding="utf-8")):
            yield f"{name} makes code from strings, which needs allowCodeGenerationFromStrings"


def main() -> int:
    """Pack the checkout's panel; returns the exit code."""
    checkout = Path(__file__).parents[3]
    parser = argparse.ArgumentParser(
        prog="python -m colorize_server.install.ccx", description="Pack the panel as .ccx."
    )
    parser.add_argument("--panel", type=Path, default=checkout / "photoshop_uxp", help="folder with manifest.json")
    parser.add_argument("--folder", type=Path, default=checkout / "dist", help="where the .ccx goes")
    args = parser.parse_args()
    try:
        archive = pack(args.panel, args.folder)
    except ColorizeError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    print(archive)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
