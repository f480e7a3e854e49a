"""What the services for programs (HAPI, TAP) share: answers that are the same for everybody."""

from __future__ import annotations

from tornado.web import RequestHandler


class OpenService(RequestHandler):
    """A handler that changes nothing and whose answers pages of other sites may read."""

    #: Path of the service, such as ``/tap``.
    service: str

    def set_default_headers(self) -> None:
        """Allow pages of other sites to read the answers, which are the same for everybody."""
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Access-Control-Allow-Origin", "*")

    def check_xsrf_cookie(self) -> None:
        """Skip the check: a request changes nothing."""

    @property
    def base(self) -> str:
        """Address of the service as the client sees it; includes a proxy's path."""
        address = f"{self.request.protocol}://{self.request.host}{self.request.path}"
        return f"{address.rpartition(self.service)[0]}{self.service}"
