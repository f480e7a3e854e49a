"""Metadata of an image set for search engines: a schema.org ``Dataset`` as JSON-LD.

The keys are those that Google Dataset Search and science-on-schema.org ask for.
"""

from __future__ import annotations

from typing import Any

from archive.landing.facts import KEYWORDS, ImageSetFacts
from stixcore.imaging.registry import display_name
from stixcore.software import CREATOR
from stixcore.times import format_time


def schema_org(facts: ImageSetFacts) -> dict[str, Any]:
    """A ``Dataset`` with its files, inputs, quantities and references."""
    publisher = _without_empty(
        {"@type": "Organization", "name": facts.publisher, "url": facts.server, "email": _email(facts.about.contact)}
    )
    return _without_empty(
        {
            "@context": "https://schema.org/",
            "@type": "Dataset",
            "@id": facts.address,
            "url": facts.address,
            "identifier": facts.run.run_id,
            "name": facts.title,
            "description": facts.description,
            "keywords": list(KEYWORDS),
            "license": facts.about.license,
            "isAccessibleForFree": True,
            "creator": publisher,
            "publisher": publisher,
            "dateCreated": f"{format_time(facts.created)}Z",
            "version": facts.run.version,
            "temporalCoverage": f"{facts.start}/{facts.end}",
            "measurementTechnique": [display_name(image.method) for image in facts.images],
            "variableMeasured": _quantities(facts),
            "creativeWorkStatus": "" if facts.replaced is None else "Replaced",
            "distribution": [] if facts.replaced is not None else [_download(source) for source in facts.sources],
            "isBasedOn": [
                _without_empty({"@type": "Dataset", "name": file.name, "url": next(iter(file.addresses), ""),
                                "identifier": f"sha256:{file.sha256}", "description": "Input file of the image"})
                for file in facts.inputs
            ],
            "citation": [paper.text for paper in facts.papers],
            "includedInDataCatalog": {"@type": "DataCatalog", "name": facts.about.name, "url": facts.server},
            "about": _flare(facts),
            "creditText": f"Made by {CREATOR} {facts.run.version}",
        }
    )  # fmt: skip


def _quantities(facts: ImageSetFacts) -> list[dict[str, Any]]:
    run, first = facts.run, facts.images[0]
    rows = (
        ("X-ray energy", "keV", {"minValue": run.e_low, "maxValue": run.e_high}),
        ("Helioprojective longitude of the map centre", "arcsec", {"value": first.center_hpc_x}),
        ("Helioprojective latitude of the map centre", "arcsec", {"value": first.center_hpc_y}),
        ("Pixel size", "arcsec", {"value": first.pixel_arcsec}),
        ("Counts", "ct", {"value": run.counts_total}),
    )
    return [
        {"@type": "PropertyValue", "name": name, "unitText": unit, **values}
        for name, unit, values in rows
        if None not in values.values()
    ]


def _download(source: Any) -> dict[str, Any]:
    return {
        "@type": "DataDownload",
        "name": f"{display_name(source.image.method)}, FITS file",
        "contentUrl": source.fits.addresses[0],
        "encodingFormat": "application/fits",
        "contentSize": f"{source.image.size} B",
        "sha256": source.image.sha256,
    }


def _flare(facts: ImageSetFacts) -> dict[str, Any] | None:
    flare = facts.flare
    if flare is None:
        return None
    return {
        "@type": "Event",
        "name": f"Solar flare {flare.sol_id or flare.flare_id}",
        "identifier": flare.flare_id,
        "startDate": f"{format_time(flare.t_start or flare.t_peak)}Z",
        "location": {"@type": "Place", "name": "Sun"},
        "url": facts.flare_address(flare.flare_id),
    }


def _email(contact: str) -> str:
    return contact if "@" in contact else ""


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value not in (None, "", [])}
