"""Files in ``deploy/`` as the programs that read them see them; timers, units and crontab are tested with the jobs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, os.fspath(Path(__file__).parent))
from pages import ROOT

from dashboards.server.serve import build_parser as server_parser
from dashboards.shared.limits import WebLimits
from jobs.cli.parser import build_parser

DEPLOY = ROOT / "deploy"
CONTAINER = DEPLOY / "container"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((CONTAINER / "compose.yaml").read_text())


@pytest.mark.needs_nginx
def test_nginx_accepts_its_configuration(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=stix.example.org", "-days", "1"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = (DEPLOY / "nginx" / "stix.conf").read_text()
    text, found = re.subn(r"(ssl_certificate(_key)?\s+)\S+;", rf"\1{tmp_path}/@\2;", text)
    assert found == 2
    site = tmp_path / "site.conf"
    site.write_text(text.replace("@_key", "key.pem").replace("@", "certificate.pem"))
    main = tmp_path / "nginx.conf"
    main.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{ access_log off; include {site}; }}\n")
    tested = subprocess.run(
        ["nginx", "-t", "-e", tmp_path / "error.log", "-c", main], capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stderr
    warnings = [line for line in tested.stderr.splitlines() if "[warn]" in line]
    assert not [line for line in warnings if 'the "listen ... http2" directive is deprecated' not in line]


def test_nginx_forwards_web_sockets_and_overwrites_forged_addresses():
    text = (DEPLOY / "nginx" / "stix.conf").read_text()
    assert "proxy_set_header Upgrade $http_upgrade;" in text
    # $remote_addr and not $proxy_add_x_forwarded_for, which would keep what the visitor sent
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
    assert "$proxy_add_x_forwarded_for" not in text
    assert server_parser().parse_args(["--host", "stix.example.org:443", "--behind-proxy"]).behind_proxy


def test_nginx_and_the_unit_have_the_limits_of_the_pages():
    limits, text = WebLimits(), (DEPLOY / "nginx" / "stix.conf").read_text()
    set_to = dict(re.findall(r"^    (client_\w+|keepalive_timeout|send_timeout) (\w+);", text, re.MULTILINE))
    assert set_to == {
        "client_max_body_size": f"{limits.body >> 20}m",
        "client_body_timeout": f"{limits.body_time:.0f}s",
        "client_header_timeout": f"{limits.header_time:.0f}s",
        "keepalive_timeout": f"{limits.idle_time:.0f}s",
        "send_timeout": f"{limits.send_time:.0f}s",
    }
    # nginx lets a connection to the pages go before they do
    (kept,) = re.findall(r"^    keepalive_timeout (\d+)s;   ", text, re.MULTILINE)
    assert int(kept) < limits.idle_time
    of_address, of_all = (int(number) for number in re.findall(r"limit_conn stix_\w+ (\d+);", text))
    assert of_address < of_all < limits.connections
    (descriptors,) = re.findall(
        r"^LimitNOFILE=(\d+)$", (DEPLOY / "systemd" / "stix-pages.service").read_text(), re.MULTILINE
    )
    assert int(descriptors) >= limits.connections + limits.descriptors


@pytest.mark.needs_logrotate
def test_logrotate_accepts_its_configuration(tmp_path):
    own = tmp_path / "stix"
    own.write_text((DEPLOY / "logrotate" / "stix").read_text().replace("    su stix stix\n", ""))
    tested = subprocess.run(
        ["logrotate", "-d", "-s", tmp_path / "state", own], capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stderr
    assert "error" not in tested.stderr
    assert "26 rotations" in tested.stderr + tested.stdout


def test_containers_run_commands_that_exist(compose):
    services = compose["services"]
    assert set(services) == {"pages", "worker", "pipeline"}
    build_parser().parse_args(services["worker"]["command"][1:])
    server_parser().parse_args(services["pages"]["command"][3:])
    steps = re.findall(r"^\s*stix-jobs (.+)$", services["pipeline"]["command"][-1], re.MULTILINE)
    assert [step.split()[0] for step in steps] == ["ingest", "flares", "previews", "notify"]
    for step in steps:
        build_parser().parse_args(step.split())
    for service in services.values():
        assert service["volumes"] == ["archive:/data"]
        assert (CONTAINER / service["build"]["context"]).resolve() == ROOT
        assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_container_image_copies_existing_files_that_are_not_ignored():
    text = (CONTAINER / "Containerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    allowed = set(re.findall(r"^!(.+)$", (CONTAINER / "Containerfile.dockerignore").read_text(), re.MULTILINE))
    assert set(copied) == allowed
    assert all((ROOT / name).exists() for name in copied)
    # whoever reads pyproject.toml needs these to build; the entry points of sign-in come with the installation
    assert {"pyproject.toml", "README.md", "LICENSE", "requirements.txt"} <= set(copied)
    assert re.search(r"^USER stix$", text, re.MULTILINE)
