"""Send a delivery: a signed POST request, or an e-mail.

Requests follow the specification Standard Webhooks 1.0 (headers webhook-id, webhook-timestamp, webhook-signature).
Reasons of failures name no address, because that of a webhook may contain a token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import numpy as np
import requests

from jobs.notices.journal import Delivery
from jobs.notices.settings import IMPLICIT_TLS, Mailbox, Receiver, Webhook
from stixcore.printable import printable, shortened
from stixcore.software import CREATOR, software_version

#: How long to wait for a connection and for each part of an answer, s.
TIMEOUT_S = 20.0
#: The longest pause that a receiver can ask for, s.
LONGEST_PAUSE_S = 86_400.0
_LONGEST_SUBJECT = 150


class NotSent(Exception):
    """A delivery was not acknowledged.

    Attributes
    ----------
    pause_s : float, s
        Pause that the receiver asks for.
    gone : bool
        The receiver wants no more deliveries.
    """

    def __init__(self, reason: str, pause_s: float = 0.0, *, gone: bool = False) -> None:
        super().__init__(reason)
        self.pause_s, self.gone = pause_s, gone


@dataclass(frozen=True)
class Sender:
    """Sends deliveries.

    Attributes
    ----------
    timeout_s : float, s
    """

    timeout_s: float = TIMEOUT_S

    def send(self, receiver: Receiver, delivery: Delivery, now: np.datetime64) -> None:
        """Send a delivery; returns when the receiver has acknowledged it.

        Raises
        ------
        NotSent
        """
        if isinstance(receiver, Webhook):
            post(receiver, delivery, now, self.timeout_s)
        elif isinstance(receiver, Mailbox):
            mail(receiver, delivery, self.timeout_s)


def signature(secret: bytes, delivery_id: str, timestamp: int, body: bytes) -> str:
    """Value of webhook-signature: ``v1,`` and HMAC-SHA256 of ``id.timestamp.body`` in base64."""
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


def post(receiver: Webhook, delivery: Delivery, now: np.datetime64, timeout_s: float) -> None:
    """Send a POST request with the event; redirects are not followed, the answer is not read.

    Raises
    ------
    NotSent
    """
    if len(delivery.events) != 1:
        message = "a digest that was made for e-mail cannot be sent to a webhook"
        raise NotSent(message)
    body, timestamp = delivery.events[0].payload.encode(), int(now.astype("datetime64[s]").astype(np.int64))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"{CREATOR}/{software_version()}",
        "webhook-id": delivery.delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(receiver.secret, delivery.delivery_id, timestamp, body),
    }
    try:
        with requests.post(
            receiver.url, data=body, headers=headers, timeout=timeout_s, allow_redirects=False, stream=True
        ) as answer:
            status, pause = answer.status_code, answer.headers.get("Retry-After", "")
    except (requests.RequestException, ValueError) as error:
        message = f"no answer ({type(error).__name__})"
        raise NotSent(message) from None
    if not 200 <= status < 300:
        seconds = min(float(pause), LONGEST_PAUSE_S) if pause.isascii() and pause.isdecimal() else 0.0
        message = f"HTTP status {status}"
        raise NotSent(message, seconds, gone=status == requests.codes.gone)


def mail(receiver: Mailbox, delivery: Delivery, timeout_s: float) -> None:
    """Send an e-mail.

    Raises
    ------
    NotSent
    """
    message, context = message_of(receiver, delivery), ssl.create_default_context()
    try:
        if receiver.port == IMPLICIT_TLS:
            server: smtplib.SMTP = smtplib.SMTP_SSL(receiver.host, receiver.port, timeout=timeout_s, context=context)
        else:
            server = smtplib.SMTP(receiver.host, receiver.port, timeout=timeout_s)
        try:
            if receiver.starttls and receiver.port != IMPLICIT_TLS:
                server.starttls(context=context)
            if receiver.user:
                server.login(receiver.user, receiver.password)
            server.send_message(message, receiver.sender, [receiver.to])
        finally:
            _leave(server)
    except smtplib.SMTPResponseException as error:
        text = f"the mail server answered {error.smtp_code}"
        raise NotSent(text) from None
    except (OSError, smtplib.SMTPException, ValueError) as error:
        text = f"no answer of the mail server ({type(error).__name__})"
        raise NotSent(text) from None


def _leave(server: smtplib.SMTP) -> None:
    """End a session; whether a message was accepted is known before."""
    try:
        server.quit()
    except (OSError, smtplib.SMTPException):
        server.close()


def message_of(receiver: Mailbox, delivery: Delivery) -> EmailMessage:
    """A delivery as e-mail (RFC 5322): the same delivery gives the same message, with the same Message-ID."""
    domain = Address(addr_spec=receiver.sender).domain
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))  # for servers without 8BITMIME
    message["From"] = Address("STIX flare images", addr_spec=receiver.sender)
    message["To"] = Address(addr_spec=receiver.to)
    message["Subject"] = subject_of(delivery)
    message["Date"] = format_datetime(delivery.created_at.astype("datetime64[s]").item().replace(tzinfo=UTC))
    message["Message-ID"] = f"<{delivery.delivery_id}@{domain}>"
    message["List-Id"] = f"STIX flare images <stix-notices.{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(_paragraph(event.title, event.text) for event in delivery.events) + "\n")
    return message


def subject_of(delivery: Delivery) -> str:
    """Subject of an e-mail: one line, whatever a file contains."""
    if len(delivery.events) == 1:
        return shortened(printable(delivery.events[0].title), _LONGEST_SUBJECT)
    types = [event.type for event in delivery.events]
    words = {"flare.new": "new flares", "flare.updated": "changed flares", "failure": "failures"}
    return "STIX: " + ", ".join(f"{types.count(kind)} {word}" for kind, word in words.items() if kind in types)


def _paragraph(title: str, text: str) -> str:
    return f"{printable(title)}\n{printable(text, lines=True)}"
