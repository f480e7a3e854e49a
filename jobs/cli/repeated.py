"""Options that may be given several times."""

from __future__ import annotations

import argparse
from typing import Any


class AddUp(argparse.Action):
    """An option that may be given several times: all its values count, in place of the default."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """See argparse."""
        del parser, option_string
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [*([] if before is self.default else before), *values])
