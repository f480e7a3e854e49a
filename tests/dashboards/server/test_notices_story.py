"""A simulated flare from its file to the feed of a running server, a webhook and a mailbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import feedparser
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "jobs" / "notices"))
from atom_rules import faults
from sinks import mail_sink, web_sink

from archive import Archive
from jobs.cli.parser import main
from stixcore.simulation.campaign import simulate_campaign

START = np.datetime64("2026-03-14T06:00:00", "us")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.system
def test_from_a_file_to_feed_webhook_and_mailbox(
    tmp_path: Path, serve: Callable[..., Any], free_port: Callable[[], int], capsys: Any
) -> None:
    """The receivers are set up before the files come."""
    root = tmp_path / "archive"
    assert simulate_campaign(tmp_path / "files", 7, START, 0.34, 6.0, min_separation=3600.0)
    Archive(root, create=True).close()
    (root / "hook.secret").write_text(SECRET)
    (root / "hook.secret").chmod(0o600)
    port = free_port()
    with serve(root) as server, web_sink() as hook, mail_sink(port) as mail:
        (root / "config.toml").write_text(
            f'[about]\nurl = "{server.url}"\n[[webhook]]\nname = "hook"\nurl = "{hook.url}"\n'
            'secret_file = "hook.secret"\nsimulated = true\n[[mail]]\nname = "mail"\nto = "a@example.org"\n'
            f'from = "stix@example.org"\nhost = "127.0.0.1"\nport = {port}\nstarttls = false\nsimulated = true\n'
        )
        common = ["--archive", str(root)]
        steps = (["ingest", str(tmp_path / "files")], ["flares"], ["previews", "--no-cube"])
        for command in (["notify"], *steps, ["notify"], ["notify"]):
            assert main([*command, *common]) == 0, capsys.readouterr().err
        with closing(Archive(root)) as archive:
            flares = {flare.flare_id: flare for flare in archive.flares()}
        document = feedparser.parse(f"{server.url}/feed.xml")
        assert not document.bozo
        in_feed = {entry.link for entry in document.entries}
        requests = [json.loads(body)["data"] for _, body in hook.requests]
        messages = [message.get_content() for message in mail.messages]
    assert flares
    addresses = {f"{server.url}/flare?id={name}" for name in flares}
    assert in_feed == addresses
    assert sorted(one["url"] for one in requests) == sorted(addresses)  # each once
    assert len(messages) == len(flares)
    assert all(any(address in message for message in messages) for address in addresses)
    pictured = [one for one in requests if flares[one["flare_id"]].best_image_thermal]
    assert pictured
    assert all(one["pictures"] for one in pictured)


def test_rules_reject_what_is_no_feed() -> None:
    """The validator of these tests can fail."""
    assert faults(b'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title></feed>')
