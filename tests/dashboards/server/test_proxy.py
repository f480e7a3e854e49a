"""Which entry of a proxy's header counts."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from dashboards.server.proxy import forwarded_address, forwarded_scheme, install
from dashboards.server.serve import build_parser

PEER = "10.0.0.9"


@pytest.mark.parametrize(
    ("line", "proxies", "address"),
    [
        ("198.51.100.7", 1, "198.51.100.7"),
        ("203.0.113.66, 198.51.100.7", 1, "198.51.100.7"),
        ("203.0.113.66, 198.51.100.7, 10.0.0.1", 2, "198.51.100.7"),
        ("2001:db8::1, 10.0.0.1", 2, "2001:db8::1"),
        ("10.0.0.1", 2, PEER),  # the outer proxy did not write it
        ("", 1, PEER),
        ("not an address", 1, PEER),
        ("198.51.100.7:4711", 1, PEER),
        ("localhost", 1, PEER),
    ],
)
def test_the_entry_of_the_outermost_proxy_counts(line: str, proxies: int, address: str) -> None:
    assert forwarded_address(HTTPHeaders({"X-Forwarded-For": line}), PEER, proxies) == address
    assert forwarded_address(HTTPHeaders({"X-Real-Ip": line}), PEER, proxies) == PEER
    assert forwarded_address(HTTPHeaders({"X-Real-Ip": line}), PEER, proxies, "x-real-ip") == address


@pytest.mark.parametrize(
    ("line", "proxies", "scheme"),
    [
        ("https", 1, "https"), ("http", 1, "http"), ("https, http", 1, "http"), ("http, https", 1, "https"),
        ("https, http", 2, "https"), ("https", 2, "https"), ("gopher", 1, "http"), ("", 1, "http"),
    ],
)  # fmt: skip
def test_the_scheme(line: str, proxies: int, scheme: str) -> None:
    assert forwarded_scheme(HTTPHeaders({"X-Forwarded-Proto": line}), "http", proxies) == scheme
    assert forwarded_scheme(HTTPHeaders({"X-Scheme": line}), "http", proxies) == "http"


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = build_parser()
    assert parser.parse_args([]).behind_proxy == 0
    assert parser.parse_args(["--behind-proxy"]).behind_proxy == 1
    given = parser.parse_args(["--behind-proxy", "2", "--proxy-header", "X-Client"])
    assert (given.behind_proxy, given.proxy_header) == (2, "X-Client")
    for wrong in ("0", "ten", "99"):
        with pytest.raises(SystemExit):
            parser.parse_args(["--behind-proxy", wrong])
        assert "is not a number of proxies" in capsys.readouterr().err
    for proxies, header in ((0, "X-Forwarded-For"), (1, "X Forwarded\r\nFor")):
        with pytest.raises(ValueError, match="name of a header"):
            install(proxies, header)
