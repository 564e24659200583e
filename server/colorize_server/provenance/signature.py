"""Signed pictures (C2PA 2.x): who says that the colours are inferred, and whether the file was changed since.

By c2pa-python, the extra ``[c2pa]``; without a network: no timestamp, nothing fetched, no thumbnails.
"""

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import BadRequestError, ColorizeError
from ..media_types import JPEG, PNG, TIFF, WEBP
from .record import SOFTWARE, SOURCE_TYPE, Record

SIGNED_TYPES: Final = frozenset({PNG, JPEG, TIFF, WEBP})
_SETTINGS: Final = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}
_PARENT: Final = "photograph"
_MARKS: Final = {b"\x89PNG": PNG, b"\xff\xd8": JPEG, b"II": TIFF, b"MM": TIFF}
"""How files of photographs begin; what begins otherwise is WebP."""
_MARK: Final = b"c2pa"
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_NEEDS_EXTRA: Final = "Install it with: pip install 'colorize-server[c2pa]'."


@dataclass(frozen=True, slots=True)
class Signing:
    """What pictures are signed with.

    Attributes:
        certificate: PEM file with the signer's certificate, first, and those that vouch for it.
        key: PEM file with the signer's private key.
    """

    certificate: Path
    key: Path


class Signature(NamedTuple):
    """What a file's signature says.

    Attributes:
        is_valid: the file is as it was signed; None where that cannot be looked at here.
        words: in one or two sentences.
    """

    is_valid: bool | None
    words: str


def check_signing(signing: Signing) -> None:
    """Refuse what cannot sign.

    Raises:
        BadRequestError: a file cannot be read, the certificate has expired or is not valid yet, the key is another's.
        ColorizeError: the extra is not installed.
    """
    _signer(signing)


def sign(data: bytes, media_type: str, signing: Signing, record: Record, photograph: tuple[str, bytes]) -> bytes:
    """Return a file with a signed record in it.

    Args:
        data: the file, PNG, JPEG, TIFF or WebP.
        media_type: of it.
        signing: who signs.
        record: what is said.
        photograph: name and bytes of the file that was coloured, which becomes the parent.

    Raises:
        ColorizeError: it cannot be signed.
    """
    c2pa = _library()
    builder = c2pa.Builder(json.dumps(_manifest(record)), context=c2pa.Context(c2pa.Settings.from_dict(_SETTINGS)))
    name, original = photograph
    kind = next((kind for mark, kind in _MARKS.items() if original.startswith(mark)), WEBP)
    parent = {"title": name, "relationship": "parentOf", "label": _PARENT}
    target = io.BytesIO()
    try:
        builder.add_ingredient(json.dumps(parent), kind, io.BytesIO(original))
        builder.sign(_signer(signing), media_type, io.BytesIO(data), target)
    except c2pa.C2paError as error:
        raise ColorizeError(f"The picture could not be signed: {error}.", "Try without --sign-cert.") from error
    return target.getvalue()


def read_signature(data: bytes, media_type: str | None) -> Signature | None:
    """Return what a file's signature says, or None if it has none.

    Args:
        data: the file.
        media_type: of it; None where it is of no kind that can be signed.
    """
    if media_type not in SIGNED_TYPES or _MARK not in data:
        return None
    try:
        c2pa = _library()
    except ColorizeError as error:
        return Signature(None, f"It may be signed. {error}")
    context = c2pa.Context(c2pa.Settings.from_dict(_SETTINGS))
    try:
        reader = c2pa.Reader.try_create(media_type, io.BytesIO(data), context=context)
    except c2pa.C2paError as error:
        return Signature(False, f"Its signature cannot be read: {error}.")
    if reader is None:
        return None
    state = str(reader.get_validation_state())
    manifest: dict[str, Any] = json.loads(reader.json())
    signed = manifest["manifests"][manifest["active_manifest"]].get("signature_info", {})
    signer = signed.get("common_name") or signed.get("issuer") or "an unnamed signer"
    if state == "Invalid":
        codes = sorted({str(status.get("code")) for status in manifest.get("validation_status", [])})
        why = "the file was changed since" if any("mismatch" in code for code in codes) else ", ".join(codes)
        return Signature(False, f"Its signature, by {signer}, is not valid: {why}.")
    known = "who is trusted here" if state == "Trusted" else "whose certificate nobody here vouches for"
    return Signature(True, f"Signed by {signer}, {known}; unchanged since.")


def _manifest(record: Record) -> dict[str, Any]:
    model, _, version = record.model.rpartition(" ")
    edited = {
        "action": "c2pa.edited",
        "description": record.sentences(),
        "softwareAgent": {"name": model, "version": version},
        "digitalSourceType": SOURCE_TYPE,
        "parameters": {"org.colorize-server.model-sha256": record.model_sha256},
    }
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_PARENT]}}
    return {
        "claim_generator_info": [{"name": SOFTWARE, "version": record.version}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [opened, edited]}}],
    }


def _library() -> Any:
    try:
        import c2pa
    except ImportError as error:
        raise ColorizeError("Signatures need a package that is not installed.", _NEEDS_EXTRA) from error
    return c2pa


def _signer(signing: Signing) -> Any:
    """Return c2pa's signer, once certificate and key are known to fit; see `check_signing`."""
    c2pa = _library()
    chain, key = _read(signing.certificate, "certificate"), _read(signing.key, "key")
    algorithm = getattr(c2pa.C2paSigningAlg, _check(signing, chain, key))
    try:
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain, key, None))
    except c2pa.C2paError as error:
        message = f"{signing.certificate} and {signing.key} cannot sign pictures: {error}."
        raise BadRequestError(message, "C2PA asks for a certificate for signing (see its specification).") from error


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadRequestError(f"The {what} {path} cannot be read: {reason}.", "Look at its name and rights.") from error


def _check(signing: Signing, chain: bytes, key: bytes) -> str:
    """Return the name of C2PA's algorithm for the key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError) as error:
        raise BadRequestError(f"{signing.certificate} holds no certificate.", "It must be a PEM file.") from error
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError) as error:
        raise BadRequestError(
            f"{signing.key} holds no private key that can be used.", "It must be a PEM file without a password."
        ) from error
    encoding = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*encoding) != certificate.public_key().public_bytes(*encoding):
        raise BadRequestError(f"{signing.key} is not the key of {signing.certificate}.", "Name the pair.")
    now = datetime.now(UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        word = "has expired" if now > certificate.not_valid_after_utc else "is not valid yet"
        raise BadRequestError(f"The certificate {signing.certificate} {word}.", "Ask its issuer for another.")
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return _CURVES[private.curve.name]
    if isinstance(private, rsa.RSAPrivateKey):
        return "PS256"
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "ED25519"
    raise BadRequestError(f"The kind of key in {signing.key} cannot sign pictures.", "Use P-256, RSA or Ed25519.")
