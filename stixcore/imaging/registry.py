"""The imaging methods that are there: built-in ones, and those of installed packages.

A package adds a method by an entry point of the group `GROUP` that names an `ImagingMethod`. Packages are looked up
once in a process: when a name comes up that is not built in, or all methods are listed. One that cannot be used is left
out and does not stop the others; `plug_ins` says why.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from stixcore.imaging.declaration import NAME, ImagingMethod, Package

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: Group of entry points.
GROUP = "stix_flare_archive.methods"

_LOG = logging.getLogger(__name__)
_BUILT_IN: dict[str, ImagingMethod] = {}


@dataclass(frozen=True)
class PlugIns:
    """The methods of installed packages.

    Attributes
    ----------
    methods : mapping of str to ImagingMethod
        By name, in alphabetical order.
    faults : tuple of str
        A sentence for each method that is left out.
    """

    methods: Mapping[str, ImagingMethod]
    faults: tuple[str, ...] = ()


class UnusableMethod(ValueError):
    """A method of a package cannot be used; the message says why."""


def register(methods: Iterable[ImagingMethod]) -> None:
    """Declare built-in methods, in the order in which they are listed."""
    _BUILT_IN.update((str(method.name), method) for method in methods)


def built_in() -> Mapping[str, ImagingMethod]:
    """Built-in methods by name."""
    return _BUILT_IN


@cache
def plug_ins() -> PlugIns:
    """Methods of installed packages, loaded and checked."""
    from importlib.metadata import entry_points  # reading the metadata of all packages takes time

    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, []).append(point)
    methods, faults = {}, []
    for name in sorted(found):
        try:
            methods[name] = _loaded(name, found[name])
        except UnusableMethod as error:
            faults.append(str(error))
            _LOG.error("%s", error)
    return PlugIns(methods, tuple(faults))


def _loaded(name: str, points: list[EntryPoint]) -> ImagingMethod:
    package = _package(points[0])
    if re.fullmatch(NAME, name, re.ASCII) is None:
        message = f"{package}: the method {name!r} is left out, because its name must match {NAME}."
        raise UnusableMethod(message)
    if name in _BUILT_IN:
        message = f"{package}: the method {name} is left out, because stix-flare-archive has one of this name."
        raise UnusableMethod(message)
    if len(points) > 1:
        packages = " and ".join(sorted(str(_package(point)) for point in points))
        message = f"The method {name} is left out, because {packages} both have one of this name; remove one of them."
        raise UnusableMethod(message)
    try:
        declared = points[0].load()
    except (Exception, SystemExit) as error:  # whatever the code of another package raises
        message = f"{package}: the method {name} is left out, because it cannot be imported: {_reason(error)}."
        raise UnusableMethod(message) from error
    if not isinstance(declared, ImagingMethod):
        message = f"{package}: the method {name} is left out, because {points[0].value} is not an ImagingMethod."
        raise UnusableMethod(message)
    fault = declared.fault()
    if not fault and declared.name != name:
        fault = f"its entry point is named {name} and its declaration {declared.name}"
    if fault:
        message = f"{package}: the method {name} is left out: {fault}."
        raise UnusableMethod(message)
    return replace(declared, package=package)


def _package(point: EntryPoint) -> Package:
    if point.dist is None:
        return Package(point.value.partition(":")[0], "unknown")
    return Package(point.dist.name, point.dist.version)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(". ")


def find_method(name: str) -> ImagingMethod | None:
    """Declaration of a method; None when neither this software nor an installed package has it."""
    return _BUILT_IN.get(name) or plug_ins().methods.get(name)


def known_names() -> tuple[str, ...]:
    """Names of all methods: built-in ones in their order, then those of packages in alphabetical order."""
    return (*_BUILT_IN, *plug_ins().methods)


def place_in_order(name: str) -> tuple[int, str]:
    """Sort key of methods: the order of `known_names`, which also holds for methods that are not installed."""
    return (list(_BUILT_IN).index(name), "") if name in _BUILT_IN else (len(_BUILT_IN), str(name))


def display_name(name: str) -> str:
    """Display name of a method; a name that no method has is returned as it is."""
    declared = find_method(name)
    return name if declared is None else declared.display_name


def display_names() -> dict[str, str]:
    """Display name of each method in the order of `known_names`."""
    return {name: display_name(name) for name in known_names()}


def is_deconvolved(name: str) -> bool:
    """Whether images of a method are models of the source; False for dirty maps and for methods not installed."""
    declared = find_method(name)
    return declared is not None and declared.deconvolved


def package_of(name: str) -> Package | None:
    """Package of an installed method; None for built-in methods and those not installed."""
    declared = find_method(name)
    return None if declared is None else declared.package
