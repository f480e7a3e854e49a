"""Parameters of requests, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from archive.extents import Extent
from dashboards.server.hapi.datasets import Dataset
from dashboards.server.hapi.records import FORMATS
from dashboards.server.hapi.standard import HapiError, Parameter, read_time, write_time

#: Names of parameters in HAPI 2, which servers of HAPI 3 accept too.
_OLD_NAMES = {"id": "dataset", "time.min": "start", "time.max": "stop"}
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Wanted:
    """A request of data: times, datetime64[us]; the parameters, of which the first is the time; and how to send it."""

    start: np.datetime64
    stop: np.datetime64
    parameters: tuple[Parameter, ...]
    form: str
    header: bool


def read_query(given: Mapping[str, Sequence[bytes]], known: Collection[str]) -> dict[str, str]:
    """Values of the parameters of a request, by their names in HAPI 3.

    Raises
    ------
    HapiError
        1401 for an unknown parameter, 1400 for one that is given twice or is not text.
    """
    values: dict[str, str] = {}
    for old, texts in given.items():
        name = _OLD_NAMES.get(old, old)
        if name not in known:
            raise HapiError(1401, f"{shortened(old)!r}; known are {', '.join(known) or 'none'}")
        if name in values or len(texts) > 1:
            raise HapiError(1400, f"{name} is given more than once")
        try:
            values[name] = texts[0].decode()
        except UnicodeDecodeError as error:
            raise HapiError(1400, f"{name} is not text in UTF-8") from error
    return values


def shortened(text: str) -> str:
    """The beginning of a text, for messages."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def dataset_id(values: Mapping[str, str]) -> str:
    """Id of the dataset.

    Raises
    ------
    HapiError
        1400 without one.
    """
    if "dataset" not in values:
        raise HapiError(1400, "the parameter dataset is missing")
    return values["dataset"]


def wanted_parameters(dataset: Dataset, given: str | None) -> tuple[Parameter, ...]:
    """Parameters of a subset; the first one of the dataset is always in it.

    Raises
    ------
    HapiError
        1407 for an unknown one, 1411 for a wrong order or one that is there twice.
    """
    if not given:
        return dataset.parameters
    names = [parameter.name for parameter in dataset.parameters]
    asked = given.split(",")
    for name in asked:
        if name not in names:
            raise HapiError(1407, f"{shortened(name)!r} is not in {dataset.id}")
    places = [names.index(name) for name in asked]
    if any(after <= before for before, after in pairwise(places)):
        raise HapiError(1411, f"the order is that of info: {','.join(names[place] for place in sorted(set(places)))}")
    return tuple(dataset.parameters[place] for place in sorted({0, *places}))


def wanted_data(dataset: Dataset, extent: Extent, values: Mapping[str, str]) -> Wanted:
    """A request of data.

    Raises
    ------
    HapiError
        1402 to 1405, 1407 to 1411. A range is outside only if nothing of it is inside: clients ask for whole days.
    """
    start, stop = _time(values, "start", 1402), _time(values, "stop", 1403)
    if start >= stop:
        raise HapiError(1404, f"{write_time(start)} is not before {write_time(stop)}")
    form, include = values.get("format", "csv"), values.get("include")
    if form not in FORMATS:
        raise HapiError(1409, f"{shortened(form)!r}; offered are {', '.join(FORMATS)}")
    if include not in (None, "header"):
        raise HapiError(1410, f"expected header, found {shortened(include)!r}")
    parameters = wanted_parameters(dataset, values.get("parameters"))
    if stop <= extent.start or start >= extent.end:
        raise HapiError(1405, f"{dataset.id} has data from {write_time(extent.start)} to {write_time(extent.end)}")
    start, stop = max(start, extent.start), min(stop, extent.end)
    if dataset.longest_days is not None and stop - start > np.timedelta64(dataset.longest_days, "D"):
        raise HapiError(1408, f"{dataset.id} is sent for at most {dataset.longest_days} days at a time")
    return Wanted(start, stop, parameters, form, include == "header")


def _time(values: Mapping[str, str], name: str, code: int) -> np.datetime64:
    if name not in values:
        raise HapiError(code, f"the parameter {name} is missing")
    try:
        return read_time(values[name])
    except ValueError as error:
        raise HapiError(code, str(error)) from error
