"""Style sheets and scripts of a page are looked up once per kind of page, without those of absent components.

For each page that is sent, Panel goes through all classes of components and their files (`Resources.css_files`,
`Resources.resource_declarations`), a fifth of the time between the request and the page. The smallest program that
shows it::

    bundle_resources([], Resources(mode="server"))  # each call looks at every file of every component

It also sends the scripts of tables (0.5 MB) with every page that ``panel serve`` makes, which imports their models.

What is found depends on the classes of the models in the page, on the loaded extensions, and on Panel's configuration,
which here is the same for all pages but for the theme.

Panel 1.10.
"""

from __future__ import annotations

from typing import Any

import panel as pn
import panel.io.server
from panel.config import panel_extension
from panel.io.resources import bundle_resources

_look = bundle_resources
#: HTML of scripts and of style sheets.
_known: dict[tuple[object, ...], tuple[str, ...]] = {}


def remember_resources() -> None:
    """Keep the resources of pages. May be called more than once."""
    setattr(panel.io.server, "bundle_resources", _bundle_resources)  # noqa: B010 - replaces a function of Panel


def _bundle_resources(roots: Any, resources: Any, *arguments: Any, **named: Any) -> Any:
    if arguments or named or not roots:
        return _look(roots, resources, *arguments, **named)
    document = roots[0].document
    classes = frozenset(type(model) for model in document.models)
    key = (
        classes, resources.mode, resources.root_url, pn.state.rel_path, str(pn.config.theme),
        tuple(panel_extension._loaded_extensions),
    )  # fmt: skip
    if key not in _known:
        # as `panel.extension` does: otherwise Panel also sends the libraries of components that are not in the page
        pn.state._extensions_.setdefault(document, [])
        used = [name for name in resources.components if name != "bokeh-gl"]  # no figure draws with WebGL
        _known[key] = tuple(_look(roots, resources.clone(components=used)))
    return _known[key]
