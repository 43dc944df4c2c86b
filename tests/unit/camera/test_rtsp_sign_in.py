"""Signing in as RFC 2617 and RFC 7616 want it."""

import hashlib
import re

import pytest

from edge_agent.camera.rtp import Unfamiliar
from edge_agent.camera.rtsp_sign_in import SignIn

_URL = "rtsp://192.0.2.64/cam"


def test_nothing_is_said_before_the_camera_asks() -> None:
    assert SignIn("an", "geheim").header("DESCRIBE", _URL) == ""


def test_basic() -> None:
    sign_in = SignIn("Aladdin", "open sesame")
    assert sign_in.answers(['Basic realm="cam"'])
    assert sign_in.header("DESCRIBE", _URL) == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_digest_goes_before_basic_and_hides_the_password() -> None:
    sign_in = SignIn("an", "geheim")
    assert sign_in.answers(['Basic realm="x"', 'Digest realm="IP Camera(C1234)", nonce="abc", stale="FALSE"'])
    header = sign_in.header("DESCRIBE", _URL)
    who = hashlib.md5(b"an:IP Camera(C1234):geheim").hexdigest()
    what = hashlib.md5(f"DESCRIBE:{_URL}".encode()).hexdigest()
    response = hashlib.md5(f"{who}:abc:{what}".encode()).hexdigest()
    assert header == (
        f'Digest username="an", realm="IP Camera(C1234)", nonce="abc", uri="{_URL}", response="{response}"'
    )
    assert "geheim" not in repr(sign_in)


@pytest.mark.parametrize(("name", "digest"), [("MD5", hashlib.md5), ("SHA-256", hashlib.sha256)])
def test_digest_with_quality_of_protection_counts_its_requests(name: str, digest: type) -> None:
    sign_in = SignIn("Mufasa", "Circle of Life")
    assert sign_in.answers([f'Digest realm="r", nonce="n", qop="auth, auth-int", opaque="o", algorithm={name}'])
    for count in (1, 2):
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', sign_in.header("SETUP", _URL)))
        who = digest(b"Mufasa:r:Circle of Life").hexdigest()
        what = digest(f"SETUP:{_URL}".encode()).hexdigest()
        right = digest(f"{who}:n:{count:08x}:{fields['cnonce']}:auth:{what}".encode()).hexdigest()
        assert (fields["nc"], fields["response"], fields["opaque"]) == (f"{count:08x}", right, "o")


def test_a_camera_is_asked_again_only_where_that_makes_sense() -> None:
    assert not SignIn("", "").answers(['Basic realm="x"']), "nobody to be"
    sign_in = SignIn("an", "geheim")
    assert sign_in.answers(['Digest realm="r", nonce="1"'])
    assert sign_in.answers(['Digest realm="r", nonce="2", stale=true'])
    assert not sign_in.answers(['Digest realm="r", nonce="3"']), "refused"


def test_other_ways_are_left_to_ffmpeg() -> None:
    with pytest.raises(Unfamiliar):
        SignIn("an", "geheim").answers(['Digest realm="r", nonce="1", algorithm=SHA-512-256', "Negotiate"])
