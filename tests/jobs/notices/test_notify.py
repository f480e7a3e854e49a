"""Notices: signed, in plain words, once; also when the sender is killed at any point."""

import base64
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from sinks import mail_sink, web_sink

from archive import Archive, Flare, Run
from jobs.cli.doctor import Verdict, examine
from jobs.cli.parser import main
from jobs.notices.journal import Delivery, DeliveryState, Event, NoticeJournal, NoticesDamaged
from jobs.notices.run import notify
from jobs.notices.send import NotSent, Sender, message_of, signature
from jobs.notices.settings import Mailbox, NoticeSettings, Webhook

NOW = np.datetime64("2026-11-28T12:00:00", "us")
MINUTE, DAY = np.timedelta64(1, "m"), np.timedelta64(1, "D")
SECRET = b"s" * 32


def flare(number, **changes):
    peak = np.datetime64("2022-11-10T03:01:00", "us") + number * 10 * MINUTE
    values = {
        "flare_id": str(peak)[2:16].translate(str.maketrans("", "", "-T:")), "t_peak": peak, "source": "detected",
        "goes_class": "M1.2", "goes_flux": 1.2e-5, "updated_at": NOW,
    }  # fmt: skip
    return Flare(**(values | changes))


def failed_run(number):
    time = np.datetime64("2022-11-10T00:00:00", "us")
    return Run(
        run_id=f"{number:016x}", kind="auto", status="failed", reason="no counts", uid="2211100001",
        science_name="x.fits", band="4-10 keV", t_start=time, t_end=time + MINUTE, e_low=4.0, e_high=10.0,
        started_at=NOW, version="1",
    )  # fmt: skip


@pytest.fixture
def archive(tmp_path):
    with closing(Archive(tmp_path / "archive", create=True)) as made:
        made.upsert("flares", [flare(0)])
        yield made


def webhook(url="http://127.0.0.1:9/", **changes):
    return Webhook(**({"name": "hook", "url": url, "secret": SECRET} | changes))


def mailbox(port=25, **changes):
    values = {"name": "mail", "to": "a@example.org", "sender": "stix@example.org", "host": "127.0.0.1"}
    return Mailbox(**(values | {"port": port, "starttls": False} | changes))


class Clock:
    """A clock that is set."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


class Inbox:
    """A sender that keeps what arrives, and may fail."""

    def __init__(self):
        self.arrived = []
        self.faults = {}

    def send(self, receiver, delivery, now):
        if receiver.name in self.faults:
            raise self.faults[receiver.name]
        self.arrived.append((receiver.name, delivery.delivery_id, [event.title for event in delivery.events]))


def one_pass(archive, receivers, sender, clock=None, **options):
    return notify(archive, NoticeSettings(tuple(receivers)), clock or Clock(), sender=sender, at_once=False, **options)


# What is reported


def test_the_first_pass_reports_nothing_that_was_there_before(archive):
    inbox, receivers = Inbox(), [webhook(), mailbox()]
    assert one_pass(archive, receivers, inbox).events == 0
    archive.upsert("flares", [flare(1)])
    one_pass(archive, receivers, inbox)
    assert [(name, titles[0][:26]) for name, _, titles in inbox.arrived] == [
        ("hook", "M1.2 flare, 2022-11-10 03:"), ("mail", "M1.2 flare, 2022-11-10 03:"),
    ]  # fmt: skip
    one_pass(archive, receivers, inbox)
    assert len(inbox.arrived) == 2


def test_since_reports_what_was_added_since(archive):
    archive.upsert("flares", [flare(1, updated_at=NOW - DAY)])
    inbox = Inbox()
    one_pass(archive, [webhook()], inbox, since=NOW - MINUTE)
    assert len(inbox.arrived) == 1


def test_changes_that_readers_care_about(archive):
    inbox = Inbox()
    one_pass(archive, [webhook()], inbox)
    for changes, number in (
        ({"peak_counts": 7.0}, 0),
        ({"goes_class": "M1.3"}, 1),
        ({"goes_class": "M1.3", "best_image_thermal": "0" * 16 + "-clean"}, 1),
        ({"goes_class": "M1.3", "best_image_thermal": "0" * 16 + "-clean", "goes_estimated": "C9"}, 0),
    ):
        inbox.arrived.clear()
        archive.upsert("flares", [flare(0, **changes)])
        one_pass(archive, [webhook()], inbox)
        assert len(inbox.arrived) == number, changes
    archive.upsert("flares", [flare(0, goes_class="M2.0")])
    one_pass(archive, [webhook()], inbox)
    assert inbox.arrived[-1][2][0].startswith("Changed: M2.0 flare")


def test_a_flare_whose_peak_moved_is_not_new(archive):
    inbox, known = Inbox(), flare(0)
    one_pass(archive, [webhook()], inbox)
    archive.delete("flares", [known.flare_id])
    archive.upsert("flares", [flare(1, other_ids=known.flare_id)])
    one_pass(archive, [webhook()], inbox)
    assert inbox.arrived[0][2][0].startswith("Changed: ")


def test_receivers_get_what_they_want(archive):
    inbox = Inbox()
    receivers = [
        webhook(name="bright", flux_min=1e-4),
        webhook(name="failures", events=("failure",)),
        webhook(name="trusted", trusted=True),
        webhook(name="off", enabled=False),
        webhook(name="all", events=("flare", "failure"), simulated=True),
    ]
    one_pass(archive, receivers, inbox)
    changed = [flare(1), flare(2, simulated=True), flare(3, location_verdict="trusted", goes_flux=2e-4)]
    archive.upsert("flares", changed)
    archive.upsert("runs", [failed_run(1)])
    one_pass(archive, receivers, inbox)
    counts = {name: sum(one == name for one, *_ in inbox.arrived) for name, *_ in inbox.arrived}
    assert counts == {"bright": 1, "failures": 1, "trusted": 1, "all": 4}


# Retries


def test_a_dead_receiver_is_tried_ever_more_rarely_given_up_and_holds_nobody(archive):
    inbox, clock, receivers = Inbox(), Clock(), [webhook(name="dead"), webhook(name="well")]
    one_pass(archive, receivers, inbox, clock)
    archive.upsert("flares", [flare(1)])
    inbox.faults["dead"] = NotSent("HTTP status 500")
    tries = []
    while clock.now < NOW + 4 * DAY:
        result = one_pass(archive, receivers, inbox, clock)
        if result.put_off or result.given_up:
            tries.append(clock.now)
        clock.now += (5 if clock.now < NOW + DAY // 8 else 30) * MINUTE  # later tries are hours apart
    assert [name for name, *_ in inbox.arrived] == ["well"]
    assert 10 < len(tries) < 25
    gaps = np.diff(np.array(tries))
    assert np.all(np.diff(gaps) >= np.timedelta64(0, "s"))
    journal = NoticeJournal(archive.root)
    assert journal.counts()["dead"] == {DeliveryState.GIVEN_UP: 1}
    (answer,) = [one for one in examine(archive.root, clock.now, pages="") if one.subject == "notices"]
    assert answer.verdict is Verdict.WRONG
    assert "1 to dead" in answer.text
    inbox.faults.clear()
    assert journal.try_again(clock.now) == 1  # nothing is lost
    one_pass(archive, receivers, inbox, clock)
    assert [name for name, *_ in inbox.arrived] == ["well", "dead"]


def test_a_receiver_that_is_gone_is_given_up_at_once(archive):
    inbox = Inbox()
    one_pass(archive, [webhook()], inbox)
    archive.upsert("flares", [flare(1)])
    inbox.faults["hook"] = NotSent("HTTP status 410", gone=True)
    assert one_pass(archive, [webhook()], inbox).given_up == 1


def test_a_slow_receiver_holds_nobody(archive):
    release, arrived = threading.Event(), []

    class Slow:
        def send(self, receiver, delivery, now):
            if receiver.name == "slow":
                release.wait(60)
            arrived.append(receiver.name)

    receivers = NoticeSettings((webhook(name="slow"), webhook(name="fast")))
    notify(archive, receivers, Clock(), sender=Slow())
    archive.upsert("flares", [flare(1)])
    try:
        begin = time.monotonic()
        result = notify(archive, receivers, Clock(), sender=Slow(), patience_s=3.0)
        assert time.monotonic() - begin < 30
        assert arrived == ["fast"]
        assert result.sent == 1
    finally:
        release.set()


def test_a_digest_has_the_events_of_past_days(archive):
    inbox, clock, daily = Inbox(), Clock(), [mailbox(each=False)]
    one_pass(archive, daily, inbox, clock)
    for number in (1, 2):
        archive.upsert("flares", [flare(number)])
        one_pass(archive, daily, inbox, clock)
        clock.now += MINUTE
    assert not inbox.arrived
    clock.now = NOW.astype("datetime64[D]").astype("datetime64[us]") + DAY
    archive.upsert("flares", [flare(3)])
    one_pass(archive, daily, inbox, clock)
    one_pass(archive, daily, inbox, clock)
    assert [len(titles) for *_, titles in inbox.arrived] == [2]
    clock.now += DAY  # one that now wants each by itself gets also what waited
    one_pass(archive, [mailbox()], inbox, clock)
    assert [len(titles) for *_, titles in inbox.arrived] == [2, 1]


# Killed


class Killed(BaseException):
    """The process is killed here."""


POINTS = ("before record", "after record", "before send", "after send", "after acknowledgement")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(POINTS), st.integers(1, 4)), max_size=6))
def test_killed_at_any_points_nothing_is_lost_and_duplicates_have_the_same_id(tmp_path_factory, kills):
    root = tmp_path_factory.mktemp("killed") / "archive"
    arrived = []

    def run(point, number):
        """One pass that is killed at the n-th time it comes to a point."""
        left = [number]

        def reach(here):
            left[0] -= here == point
            if left[0] == 0:
                raise Killed

        class KilledJournal(NoticeJournal):
            def record(self, *arguments):
                reach("before record")
                super().record(*arguments)
                reach("after record")

            def sent(self, *arguments):
                reach("after send")
                super().sent(*arguments)
                reach("after acknowledgement")

        class Receives:
            def send(self, receiver, delivery, now):
                reach("before send")
                arrived.append((delivery.delivery_id, json.loads(delivery.events[0].payload)["data"]["key"]))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("jobs.notices.run.NoticeJournal", KilledJournal)
            try:
                one_pass(archive, [webhook(name="a"), webhook(name="b")], Receives())
            except Killed:
                return

    with closing(Archive(root, create=True)) as archive:
        run("never", -1)
        for number, kill in enumerate(kills):
            archive.upsert("flares", [flare(number)])
            run(*kill)
        run("never", -1)
    keys = {f"flare/{flare(number).flare_id}" for number in range(len(kills))}
    ids = dict(arrived)  # by delivery
    assert sorted(ids.values()) == sorted([*keys, *keys])  # each event once to each of both
    assert len(set(arrived)) == len(ids)  # a duplicate has the same id and the same event


@pytest.mark.system
def test_a_killed_process_sends_again_with_the_same_id(archive):
    """SIGKILL after the receiver has it and before it answers: it comes again, and can be recognized."""
    with web_sink() as sink:
        secret = archive.root / "hook.secret"
        secret.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        secret.chmod(0o600)
        (archive.root / "config.toml").write_text(
            f'[[webhook]]\nname = "hook"\nurl = "{sink.url}"\nsecret_file = "hook.secret"\n'
        )
        command = [sys.executable, "-m", "jobs.cli", "notify", "--archive", str(archive.root)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        archive.upsert("flares", [flare(1)])
        processes = []

        def kill_first(number):
            if number == 1:
                processes[0].send_signal(signal.SIGKILL)
                processes[0].wait(60)
            return 204, {}

        sink.answer = kill_first
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        processes[0].communicate(timeout=120)
        assert processes[0].returncode == -signal.SIGKILL
        for _ in range(2):
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        first, again = sink.requests
        assert first[0]["webhook-id"] == again[0]["webhook-id"]
        assert first[1] == again[1]


# Webhooks


def test_signature_is_that_of_the_specification():
    # the example of Standard Webhooks, which its libraries are tested with
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def delivery(*events):
    return Delivery("msg_1", "hook", NOW, 0, events or (Event("flare.new", "A flare", "Text.", '{"α": 1}'),))


def test_a_request_as_it_arrives():
    with web_sink() as sink:
        Sender().send(webhook(sink.url), delivery(), NOW)
        ((headers, body),) = sink.requests
    assert body.decode() == '{"α": 1}'
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-signature"] == signature(SECRET, "msg_1", int(headers["webhook-timestamp"]), body)
    assert int(headers["webhook-timestamp"]) == 1795867200


@pytest.mark.parametrize(
    ("status", "headers", "pause", "gone"),
    [(302, {"Location": "/other"}, 0, False), (503, {"Retry-After": "90"}, 90, False), (410, {}, 0, True)],
)
def test_what_is_no_acknowledgement(status, headers, pause, gone):
    with web_sink() as sink:
        sink.answer = lambda number: (status, headers)
        with pytest.raises(NotSent) as error:
            Sender().send(webhook(f"{sink.url}?token=4711"), delivery(), NOW)
        assert len(sink.requests) == 1  # redirects are not followed
    assert (error.value.pause_s, error.value.gone) == (pause, gone)
    assert str(error.value) == f"HTTP status {status}"


def test_a_receiver_that_does_not_answer_takes_bounded_time_and_is_not_named():
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        for receiver in (webhook(f"http://127.0.0.1:{port}/token-4711"), mailbox(port)):
            begin = time.monotonic()
            with pytest.raises(NotSent) as error:
                Sender(timeout_s=0.3).send(receiver, delivery(), NOW)
            assert time.monotonic() - begin < 20
            assert "4711" not in str(error.value)
            assert "127.0.0.1" not in str(error.value)


# E-mail


@pytest.fixture
def port():
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return probe.getsockname()[1]


def test_a_message_as_it_arrives(port):
    with mail_sink(port) as sink:
        Sender().send(mailbox(port), delivery(), NOW)
        Sender().send(mailbox(port), delivery(), NOW + DAY)
        first, again = sink.messages
    assert sink.recipients == [["a@example.org"]] * 2
    assert first["Subject"] == "A flare"
    assert first["Message-ID"] == again["Message-ID"] == "<msg_1@example.org>"
    assert first["Date"] == again["Date"] == "Sat, 28 Nov 2026 12:00:00 +0000"
    assert first["List-Id"] == "STIX flare images <stix-notices.example.org>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content_type() == "text/plain"
    assert first.get_content().splitlines() == ["A flare", "Text."]


def test_a_refusal_of_the_mail_server_is_a_sentence(port):
    with mail_sink(port) as sink:
        sink.reply = "550 alice is unknown"
        with pytest.raises(NotSent, match=r"^the mail server answered 550$"):
            Sender().send(mailbox(port), delivery(), NOW)
        with pytest.raises(NotSent, match="no answer of the mail server"):  # it offers no encryption: nothing is sent
            Sender().send(mailbox(port, starttls=True), delivery(), NOW)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.text())
def test_no_text_adds_headers(title, text):
    event = Event("flare.new", f"x\r\nBcc: all@example.org\n{title}", f"\r\n.\r\nRCPT TO:<b@example.org>{text}", "{}")
    message = message_of(mailbox(), delivery(event))
    content = message.as_bytes()
    names = {line.split(b":")[0] for line in content.split(b"\r\n\r\n", 1)[0].split(b"\r\n") if line[:1] not in b" \t"}
    assert {name.decode() for name in names} == {
        "From", "To", "Subject", "Date", "Message-ID", "List-Id", "Auto-Submitted", "Content-Type",
        "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip
    assert content.isascii()


# The journal


def test_the_journal_is_private(archive):
    one_pass(archive, [webhook()], Inbox())
    assert (archive.root / "notices.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["empty", "garbage", "another", "newer"])
def test_a_damaged_journal_is_a_sentence_and_nothing_is_sent(archive, damage, capsys):
    inbox, path = Inbox(), archive.root / "notices.sqlite"
    one_pass(archive, [webhook()], inbox)
    archive.upsert("flares", [flare(1)])
    good = path.read_bytes()
    if damage in {"empty", "garbage"}:
        path.write_bytes(b"" if damage == "empty" else b"x" * 5000)
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("DROP TABLE seen" if damage == "another" else "PRAGMA user_version = 99")
    damaged = path.read_bytes()
    with pytest.raises(NoticesDamaged, match=r"notices\.sqlite"):
        one_pass(archive, [webhook()], inbox)
    assert not inbox.arrived
    assert path.read_bytes() == damaged
    (archive.root / "config.toml").write_text("")
    assert main(["notify", "--archive", str(archive.root)]) == 1
    assert "notices.sqlite" in capsys.readouterr().err
    path.write_bytes(good)
    one_pass(archive, [webhook()], inbox)
    assert len(inbox.arrived) == 1


def test_what_was_sent_long_ago_is_forgotten_and_not_sent_again(archive):
    inbox, clock = Inbox(), Clock()
    one_pass(archive, [webhook()], inbox, clock)
    archive.upsert("flares", [flare(1)])
    one_pass(archive, [webhook()], inbox, clock)
    clock.now += 100 * DAY
    one_pass(archive, [webhook()], inbox, clock)
    assert NoticeJournal(archive.root).counts() == {}
    assert len(inbox.arrived) == 1


def test_an_archive_without_receivers_gets_no_journal(archive, capsys):
    assert main(["notify", "--archive", str(archive.root)]) == 0
    assert "no receivers" in capsys.readouterr().out
    assert not (archive.root / "notices.sqlite").exists()
