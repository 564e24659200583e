"""``make check-readme`` can fail: a block that nobody marked, a command that fails, a file that is not made."""

import os
from pathlib import Path

import pytest
from check_readme import CHECKOUT, DOCUMENTS, Block, BrokenDocumentError, blocks_of, follow

RUN, NOT_RUN = "<!-- run; makes a b/c -->", "<!-- not run: takes days -->"


def marked(mark: str) -> str:
    return f"# Title\n\nWords.\n\n{mark}\n```console\nfirst\nsecond  # why\n```\n\nMore.\n"


def block(text: str, *makes: str) -> Block:
    return Block("README.md", 5, text, runs=True, makes=makes)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "clone").mkdir()
    return tmp_path / "clone"


def test_marks_are_read() -> None:
    (found,) = blocks_of("README.md", marked(RUN))
    assert found == Block("README.md", 7, "first\nsecond  # why\n", runs=True, makes=("a", "b/c"))
    assert [found.runs for found in blocks_of("README.md", marked(NOT_RUN))] == [False]


@pytest.mark.parametrize("mark", ["", "Words.", "<!-- run", "<!-- not run: -->", f"{RUN}\n"])
def test_no_block_is_forgotten(mark: str) -> None:
    with pytest.raises(BrokenDocumentError, match=r"README.md, line \d+: the block is not marked"):
        blocks_of("README.md", marked(mark))


def test_later_blocks_find_what_earlier_ones_have_set(place: Path) -> None:
    blocks = [block("name=made\nsay() { echo words; }\n"), block('say > "$name"\n', "made")]
    follow(blocks, place, dict(os.environ))
    assert (place / "made").read_text() == "words\n"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (block("echo before; false\necho after > made\n"), "before"),
        (block("false | true\n"), "false | true"),
        (block('echo "$not_set"\n'), "not_set"),
        (block("touch made\n", "made"), "made was not made"),
        (block("exit 3\n"), "it ended with 3"),
    ],
)
def test_a_block_that_fails_is_named_with_what_it_printed(place: Path, bad: Block, says: str) -> None:
    with pytest.raises(BrokenDocumentError) as caught:
        follow([block("true\n"), bad, block("echo never\n")], place, dict(os.environ))
    assert str(caught.value).startswith("README.md, line 5: it ended with")
    assert says in str(caught.value)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_something_of_each_document_is_run(document: str) -> None:
    assert any(found.runs for found in blocks_of(document, (CHECKOUT / document).read_text("utf-8")))
