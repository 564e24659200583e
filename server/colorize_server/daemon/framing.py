"""How an answer's bytes are framed: as they are, or as multipart/mixed where a doubt picture follows an encoded one."""

from dataclasses import dataclass

from ..inference.task import Answer
from ..media_types import PNG, RAW


@dataclass(frozen=True, slots=True)
class Framing:
    """What stands around the bytes of an answer; nothing around most.

    Attributes:
        content_type: for the header of that name.
        before: comes first.
        between: stands between picture and doubt.
        after: comes last.
    """

    content_type: str
    before: bytes = b""
    between: bytes = b""
    after: bytes = b""

    @property
    def n_bytes(self) -> int:
        """Length of all three."""
        return len(self.before) + len(self.between) + len(self.after)


def framing_of(answer: Answer, answer_type: str, boundary: str) -> Framing:
    """Return the framing of an answer.

    Args:
        answer: what came out.
        answer_type: Content-Type of its picture.
        boundary: of a multipart body; RFC 2046 allows letters, digits, "-" and "_", up to 70.
    """
    if not answer.doubt_bytes or answer_type == RAW:
        return Framing(answer_type)

    def head(name: str, media_type: str) -> str:
        return f'--{boundary}\r\nContent-Disposition: inline; name="{name}"\r\nContent-Type: {media_type}\r\n\r\n'

    return Framing(
        f"multipart/mixed; boundary={boundary}",
        head("picture", answer_type).encode(),
        f"\r\n{head('doubt', PNG)}".encode(),
        f"\r\n--{boundary}--\r\n".encode(),
    )
