"""How tests find components of a page without a browser: by class, by label, by what they show."""

from typing import Any

import panel as pn


def component(layout: Any, kind: type, **having: Any) -> Any:
    """The first component of a class in a layout whose parameters have these values."""
    return next(
        one for one in layout.select(kind) if all(getattr(one, name) == value for name, value in having.items())
    )


def text_of(layout: Any) -> str:
    """What the HTML panes of a layout show."""
    return "\n".join(str(pane.object) for pane in layout.select(pn.pane.HTML))
