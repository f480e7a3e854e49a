"""Defaults of properties are looked up once per class.

Bokeh copies, validates and transforms the default of a property each time that an unset property is read, and looks for
its default again for each model that is made. A page of 250 models reads 16,000 unset properties, which is a third of
the time in which its session is made. The smallest program that shows it::

    Range1d().reset_start  # calls themed_default, and again for the next Range1d

Only defaults that cannot be changed in place are kept: None, truth values, numbers and texts.

Bokeh 3.10.
"""

from __future__ import annotations

from typing import Any

from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.singletons import UndefinedType

#: Types of defaults that are kept.
_UNCHANGING = (type(None), bool, int, float, str, UndefinedType)


def remember_defaults() -> None:
    """Keep the defaults of all classes of models. May be called more than once."""
    setattr(HasProps, "themed_values", _themed_values)  # noqa: B010 - replaces methods of Bokeh
    setattr(PropertyDescriptor, "has_unstable_default", _has_unstable_default)  # noqa: B010 - as above
    setattr(PropertyDescriptor, "_get_default", _get_default)  # noqa: B010 - as above


_compute = PropertyDescriptor._get_default
_look_unstable = PropertyDescriptor.has_unstable_default
#: By class and descriptor. Classes of models live as long as the process.
_defaults: dict[tuple[type, Any], Any] = {}
_unstable: dict[tuple[type, Any], bool] = {}


def _themed_values(self: Any) -> dict[str, Any] | None:
    """As in Bokeh, which raises and catches an AttributeError for each model without a theme."""
    values: dict[str, Any] | None = self.__dict__.get("__themed_values__")
    return values


def _has_unstable_default(self: Any, obj: HasProps) -> bool:
    key = (obj.__class__, self)
    known = _unstable.get(key)
    if known is None:
        known = _unstable[key] = bool(_look_unstable(self, obj))
    return known


def _get_default(self: Any, obj: Any) -> Any:
    themed = obj.__dict__.get("__themed_values__")
    if themed is not None and self.name in themed:
        return _compute(self, obj)
    key = (obj.__class__, self)
    known = _defaults.get(key, _defaults)
    if known is not _defaults:
        return known
    value = _compute(self, obj)
    if type(value) in _UNCHANGING and not _has_unstable_default(self, obj):
        _defaults[key] = value
    return value
