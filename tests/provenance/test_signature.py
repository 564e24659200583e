"""Signed pictures, read by c2pa's own reader, and what ``colorize --verify`` says of them."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from colorize_server.provenance.record import SOURCE_TYPE
from colorize_server.provenance.signature import read_signature
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from museum import museum_scan

c2pa = pytest.importorskip("c2pa")
Keys = tuple[Path, Path, Path]
"""Certificates of the signer and its issuer, the signer's key, the issuer's certificate."""


def certificate(
    name: str, key: Any, issuer: tuple[x509.Name, Any] | None, until: datetime, since: datetime | None = None
) -> x509.Certificate:
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Archive")]
    )
    issuer_name, issuer_key = issuer or (subject, key)
    authority = issuer is None
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usage |= {"encipher_only": False, "decipher_only": False}
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since or datetime.now(UTC) - timedelta(days=2))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=authority, crl_sign=authority, **usage), critical=True
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not authority:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(usages, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem(certificate_: x509.Certificate) -> bytes:
    return certificate_.public_bytes(serialization.Encoding.PEM)


def write_keys(folder: Path, until: datetime) -> Keys:
    folder.mkdir(exist_ok=True)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certificate("Root", root_key, None, datetime.now(UTC) + timedelta(days=30))
    own = certificate("City Archive", key, (root.subject, root_key), until)
    (folder / "chain.pem").write_bytes(pem(own) + pem(root))
    (folder / "root.pem").write_bytes(pem(root))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "chain.pem", folder / "key.pem", folder / "root.pem"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return write_keys(tmp_path_factory.mktemp("keys"), datetime.now(UTC) + timedelta(days=10))


def state(data: bytes, media_type: str, anchor: Path | None = None) -> tuple[str, dict[str, Any]]:
    """Return what c2pa's reader says, with a certificate that is trusted."""
    settings: dict[str, Any] = {"verify": {"verify_trust": True}}
    if anchor is not None:
        settings["trust"] = {"trust_anchors": anchor.read_text()}
    context = c2pa.Context(c2pa.Settings.from_dict(settings))
    reader = c2pa.Reader(media_type, io.BytesIO(data), context=context)
    return str(reader.get_validation_state()), json.loads(reader.json())


TYPES = {"out.png": "image/png", "out.jpg": "image/jpeg", "out.tif": "image/tiff"}


@pytest.mark.parametrize("output", TYPES)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_signed_pictures_are_valid_and_say_what_was_done(
    run: Callable[..., int], tmp_path: Path, keys: Keys, output: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chain, key, root = keys
    scan, target = tmp_path / "scan", tmp_path / output
    scan.write_bytes(museum_scan(kind))
    assert run(scan, "-o", target, "--sign-cert", chain, "--sign-key", key) == 0
    data = target.read_bytes()
    assert state(data, TYPES[output])[0] == "Valid"
    trusted, said = state(data, TYPES[output], root)
    assert trusted == "Trusted"
    manifest = said["manifests"][said["active_manifest"]]
    (actions,) = [a["data"]["actions"] for a in manifest["assertions"] if a["label"].startswith("c2pa.actions")]
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited"]
    assert actions[1]["digitalSourceType"] == SOURCE_TYPE
    assert actions[1]["softwareAgent"] == {"name": "tiny", "version": "1"}
    assert "a guess" in actions[1]["description"]
    (parent,) = manifest["ingredients"]
    assert (parent["title"], parent["relationship"]) == ("scan", "parentOf")
    assert "thumbnail" not in manifest
    assert "City Archive" in said["manifests"][said["active_manifest"]]["signature_info"]["common_name"]

    capsys.readouterr()
    assert run("--verify", target) == 0
    told = capsys.readouterr().out
    for words in ("made by a trained model", "Made from scan", "a guess", "Signed by City Archive", "unchanged since"):
        assert words in told

    changed = bytearray(data)
    changed[-40] ^= 1  # among the pixels
    assert state(bytes(changed), TYPES[output])[0] == "Invalid"
    target.write_bytes(changed)
    assert run("--verify", target) == 1
    assert "the file was changed since" in capsys.readouterr().out


def test_an_unsigned_picture_is_read_back(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "scan.jpg"
    scan.write_bytes(museum_scan("JPEG"))
    assert run(scan) == 0
    assert run(scan, "--as", "psd") == 0
    capsys.readouterr()
    assert run("--verify", tmp_path / "scan.colour.png", tmp_path / "scan.colour.psd") == 0
    told = capsys.readouterr().out
    assert told.count("It is not signed.") == 2
    assert told.count("ScanTool") == 2
    assert run("--verify", scan) == 1
    assert "negativeFilm" in capsys.readouterr().out
    assert run("--verify", tmp_path / "none.png") == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_file_without_the_library_may_be_signed(
    run: Callable[..., int], tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = tmp_path / "scan.png"
    scan.write_bytes(museum_scan("PNG"))
    assert run(scan, "--sign-cert", keys[0], "--sign-key", keys[1]) == 0
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    found = read_signature((tmp_path / "scan.colour.png").read_bytes(), "image/png")
    assert found is not None
    assert found.is_valid is None
    assert "colorize-server[c2pa]" in found.words


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("missing.pem", "key.pem"), "missing.pem cannot be read"),
        (("chain.pem", "missing.pem"), "missing.pem cannot be read"),
        (("key.pem", "key.pem"), "holds no certificate"),
        (("chain.pem", "chain.pem"), "holds no private key"),
        (("chain.pem", "other.pem"), "is not the key of"),
        (("old.pem", "old-key.pem"), "has expired"),
        (("chain.pem",), "go together"),
    ],
)
def test_what_cannot_sign_is_refused_before_any_picture_is_coloured(
    run: Callable[..., int],
    tmp_path: Path,
    keys: Keys,
    capsys: pytest.CaptureFixture[str],
    files: tuple[str, ...],
    said: str,
) -> None:
    for path in keys:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    other = write_keys(tmp_path / "other", datetime.now(UTC) + timedelta(days=10))
    (tmp_path / "other.pem").write_bytes(other[1].read_bytes())
    old = write_keys(tmp_path / "old", datetime.now(UTC) - timedelta(days=1))
    (tmp_path / "old.pem").write_bytes(old[0].read_bytes())
    (tmp_path / "old-key.pem").write_bytes(old[1].read_bytes())
    scan = tmp_path / "scan.png"
    scan.write_bytes(museum_scan("PNG"))
    words = [
        word
        for option, name in zip(("--sign-cert", "--sign-key"), files, strict=False)
        for word in (option, tmp_path / name)
    ]
    assert run(scan, *words) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "scan.colour.png").exists()


def test_a_layered_file_cannot_be_signed(
    run: Callable[..., int], tmp_path: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "scan.png"
    scan.write_bytes(museum_scan("PNG"))
    assert run(scan, "--as", "psd", "--sign-cert", keys[0], "--sign-key", keys[1]) == 1
    assert "cannot be signed" in capsys.readouterr().err
