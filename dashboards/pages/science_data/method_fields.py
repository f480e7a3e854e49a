"""Fields for the parameters of a method of an installed package, made from the schema of its parameters.

Built-in methods have fields chosen by hand (`AdvancedForm`); their other parameters are for the API and scripts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import panel.ui as pmui
import param

from dashboards.shared.formatting import method_name
from dashboards.shared.style import LOW
from dashboards.shared.typed_numbers import TypedInteger, TypedNumber
from stixcore.imaging.methods import MethodParameters, default_parameters
from stixcore.imaging.reconstruction import Method
from stixcore.options import parameter_schemas

#: Attribute of the state that holds a parameter: a name of its own, for a parameter may be called "name".
_PREFIX = "value_"
#: Style of a field, as in form_parts.py, which imports the form.
FIELD: dict[str, Any] = {"size": "small", "margin": (6, 10, 4, 0), "description": "", "sx": LOW}
_NUMBERS = {"number": TypedNumber, "integer": TypedInteger}


class MethodFields:
    """Values of the parameters of a method that a visitor may change.

    Lists, and parameters that may be null, have no field and keep their defaults.

    Attributes
    ----------
    state : param.Parameterized
        The values; parameter ``power`` is ``state.value_power``.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self._schemas = {key: one for key, one in parameter_schemas(method).items() if _has_field(one)}
        declared = {f"{_PREFIX}{key}": _declared(schema) for key, schema in self._schemas.items()}
        self.state: Any = type("MethodState", (param.Parameterized,), declared)()

    def parameters(self) -> MethodParameters:
        """Parameters of the method."""
        default = default_parameters(self._method)
        # a number field passes on 1 for 1.0, and the id of a recipe depends on it
        changed = {key: type(getattr(default, key))(getattr(self.state, f"{_PREFIX}{key}")) for key in self._schemas}
        return replace(default, **changed)

    def widgets(self) -> list[Any]:
        """A field for each of them."""
        return [self._widget(key, schema) for key, schema in self._schemas.items()]

    def _widget(self, key: str, schema: dict[str, Any]) -> Any:
        of = self.state.param[f"{_PREFIX}{key}"]
        label = f"{method_name(self._method)}: {key.replace('_', ' ')}"
        if schema["type"] == "boolean":
            return pmui.Checkbox.from_param(of, label=label, size="small", margin=(6, 10, 6, 0), description="")
        if "enum" in schema:
            return pmui.Select.from_param(of, label=label, options=list(schema["enum"]), width=190, **FIELD)
        if schema["type"] in _NUMBERS:
            if schema["type"] == "integer":
                return pmui.IntInput.from_param(of, label=label, width=190, **FIELD)
            return pmui.FloatInput.from_param(of, label=label, width=190, format="0.[000000]", **FIELD)
        return pmui.TextInput.from_param(of, label=label, width=190, **FIELD)


def _has_field(schema: dict[str, Any]) -> bool:
    return schema.get("type") in ("number", "integer", "boolean", "string")


def _declared(schema: dict[str, Any]) -> param.Parameter[Any]:
    given = {"default": schema["default"], "doc": schema.get("description", "")}
    if schema["type"] in _NUMBERS:
        number: param.Parameter[Any] = _NUMBERS[schema["type"]](
            **given, bounds=(schema.get("minimum"), schema.get("maximum"))
        )
        return number
    if schema["type"] == "boolean":
        return param.Boolean(**given)
    return param.Selector(**given, objects=list(schema["enum"])) if "enum" in schema else param.String(**given)
