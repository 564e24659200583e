"""Translations: complete, with the same placeholders, and compiled from what the repository says."""

import gettext
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

PLUG_IN = Path(__file__).parents[3] / "gimp_plugin" / "colorize"
LANGUAGES = sorted(folder.name for folder in (PLUG_IN / "locale").iterdir())
KEYWORDS = {"_": None, "counted": (1, 2)}


def extracted() -> set[str | tuple[str, ...]]:
    found = extract_from_dir(PLUG_IN, [("**.py", "python")], keywords=KEYWORDS)
    return {message for _, _, message, _, _ in found}


def catalogue(language: str) -> Catalog:
    file = PLUG_IN / "locale" / language / "LC_MESSAGES" / "colorize.po"
    return read_po(io.BytesIO(file.read_bytes()), locale=language)


def texts(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def test_there_is_a_translation() -> None:
    assert LANGUAGES == ["de"]
    assert len(extracted()) > 130


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_no_other(language: str) -> None:
    translated = {message.id: message.string for message in catalogue(language) if message.id}
    assert set(translated) == extracted()
    for source, text in translated.items():
        for form, one in enumerate(texts(text)):
            assert one, source
            english = texts(source)[min(form, len(texts(source)) - 1)]
            assert set(re.findall(r"{\w*}", one)) == set(re.findall(r"{\w*}", english)), source
            assert (one.count("_") == 1) == (texts(source)[0].count("_") == 1), f"mnemonic of {source}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_translation_is_the_one_that_can_be_read(language: str) -> None:
    file = PLUG_IN / "locale" / language / "LC_MESSAGES" / "colorize.mo"
    compiled = gettext.GNUTranslations(io.BytesIO(file.read_bytes()))
    for message in catalogue(language):
        if message.id and isinstance(message.id, str):
            assert compiled.gettext(message.id) == message.string
        elif message.id:
            assert tuple(compiled.ngettext(*message.id, n) for n in (1, 2)) == tuple(message.string)


@pytest.mark.parametrize(
    ("language", "text"), [("de", "Es läuft kein Colorize-Server."), ("fr", "No colorize server runs.")]
)
def test_the_language_is_the_one_that_gimp_asks_for(language: str, text: str) -> None:
    code = "import language; print(language._('No colorize server runs.'))"
    argv = [sys.executable, "-c", code]
    done = subprocess.run(
        argv, cwd=PLUG_IN, env={"LANGUAGE": language, "PYTHONIOENCODING": "utf-8"}, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == text


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_help_has_a_page_for_every_menu_entry(language: str) -> None:
    """GIMP finds it by the procedure's name."""
    commands = (PLUG_IN / "commands.py").read_text("utf-8")
    procedures = set(re.findall(r'= "(plug-in-colorize-[a-z-]+)"', commands))
    folder = PLUG_IN / "help" / language
    items = re.findall(r'id="([^"]+)" ref="index.html#([^"]+)"', (folder / "gimp-help.xml").read_text("utf-8"))
    assert {name for name, _ in items} == procedures
    page = (folder / "index.html").read_text("utf-8")
    assert all(f'id="{anchor}"' in page for _, anchor in items)
