"""Receivers in config.toml: what is understood, what is refused, and that no message shows a secret."""

import pytest

from archive.errors import BadSettings
from jobs.notices.settings import Mailbox, NoticeSettings, Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = '[[webhook]]\nname = "a"\nurl = "https://example.org/token-4711"\nsecret_env = "S"\n'
MAIL = '[[mail]]\nname = "m"\nto = ["a@example.org", "b@example.org"]\nfrom = "stix@example.org"\nhost = "h"\n'


def settings(root, text):
    (root / "config.toml").write_text(text)
    return NoticeSettings.of(root, {"S": SECRET})


def test_receivers(tmp_path):
    assert NoticeSettings.of(tmp_path) == NoticeSettings()
    (tmp_path / "mail.password").write_text("open sesame\n")
    (tmp_path / "mail.password").chmod(0o600)
    found = settings(
        tmp_path,
        '[about]\nurl = "https://x.example/"\n'
        f'{HOOK}goes_min = "M1"\nevents = ["failure"]\n'
        f'{MAIL}user = "stix"\npassword_file = "mail.password"\ndigest = "daily"\n',
    )
    hook, one, two = found.receivers
    assert found.url == "https://x.example"
    assert isinstance(hook, Webhook)
    assert (hook.flux_min, hook.events, hook.secret[:2]) == (1e-5, ("failure",), b"\x31\xf2")
    assert isinstance(one, Mailbox)
    assert (one.name, one.to, two.name) == ("m a@example.org", "a@example.org", "m b@example.org")
    assert (one.password, one.digest, one.starttls, one.port) == ("open sesame", "daily", True, 587)
    shown = repr(found)
    assert "sesame" not in shown
    assert "4711" not in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HOOK.replace("https", "ftp"), "[[webhook]] 1 url: expected an address that begins with http"),
        (HOOK.replace('"S"', '"T"'), "secret: expected whsec_ and 24 to 64 bytes in base64"),
        (f'{HOOK}secret_file = "f"\n', "this key or secret_env, and not both"),
        (f"{HOOK}colour = 1\n", "has 'colour'; its keys are"),
        (f'{HOOK}goes_min = "Q1"\n', "goes_min: expected a GOES class such as M1, found 'Q1'"),
        (f'{HOOK}events = ["all"]\n', "events: expected a list of flare, update, failure"),
        (HOOK + HOOK, "two receivers have the name 'a'"),
        (MAIL.replace("a@example.org", "a@example.org\\r\\nBcc: all@example.org"), "to: expected an e-mail address"),
        (MAIL.replace("stix@example.org", "stix"), "from: expected an e-mail address, found 'stix'"),
        (f'{MAIL}user = "u"\nstarttls = false\n', "a password must not be sent in the clear"),
        (f"{MAIL}port = 70000\n", "port: expected a whole number"),
        ("webhook = 7\n", "webhook must be a list of tables"),
        ("[about]\nurl = 7\n", "about.url must be a text"),
        ("[notices\n", "config.toml cannot be read"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, text, words):
    with pytest.raises(BadSettings) as error:
        settings(tmp_path, text)
    assert words in str(error.value)
    assert "4711" not in str(error.value)
    assert SECRET not in str(error.value)


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    (tmp_path / "f").write_text(SECRET)
    (tmp_path / "f").chmod(0o640)
    text = HOOK.replace('secret_env = "S"', 'secret_file = "f"')
    with pytest.raises(BadSettings, match="only its owner can read"):
        settings(tmp_path, text)
    (tmp_path / "f").chmod(0o600)
    assert len(settings(tmp_path, text).receivers) == 1
