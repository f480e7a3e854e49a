"""Metadata of an image set for a DOI: the JSON of DataCite's schema 4.6.

The DOI itself is given by the repository that receives the package; until then the identifier is the address of the
landing page.
"""

from __future__ import annotations

from typing import Any

from archive.landing.facts import KEYWORDS, ImageSetFacts
from stixcore.software import CREATOR
from stixcore.times import format_time


def datacite(facts: ImageSetFacts) -> dict[str, Any]:
    """The attributes of a DataCite record."""
    created = format_time(facts.created)
    document: dict[str, Any] = {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "identifiers": [{"identifier": facts.address, "identifierType": "URL"}],
        "creators": [{"name": facts.publisher, "nameType": "Organizational"}],
        "titles": [{"title": facts.title, "lang": "en"}],
        "publisher": {"name": facts.publisher},
        "publicationYear": created[:4],
        "types": {"resourceType": "X-ray images", "resourceTypeGeneral": "Dataset"},
        "subjects": [{"subject": word} for word in KEYWORDS],
        "dates": [
            {"date": f"{facts.start}/{facts.end}", "dateType": "Collected"},
            {"date": f"{created}Z", "dateType": "Created"},
        ],
        "language": "en",
        "sizes": [f"{sum(image.size for image in facts.images)} B", f"{len(facts.images)} images"],
        "formats": ["application/fits"],
        "version": facts.run.version,
        "descriptions": [
            {"description": facts.description, "descriptionType": "Abstract", "lang": "en"},
            {
                "description": f"Made by {CREATOR} {facts.run.version}. "
                + " ".join(f"{name}: {value}." for name, value in facts.calibration),
                "descriptionType": "Methods",
                "lang": "en",
            },
        ],
        "relatedIdentifiers": [
            *(
                {
                    "relatedIdentifier": file.addresses[0],
                    "relatedIdentifierType": "URL",
                    "relationType": "IsDerivedFrom",
                }
                for file in facts.inputs
                if file.addresses
            ),
            *(
                {"relatedIdentifier": paper.doi, "relatedIdentifierType": "DOI", "relationType": "Cites"}
                for paper in facts.papers
                if paper.doi
            ),
            *(
                {
                    "relatedIdentifier": facts.address_of(recipe_id),
                    "relatedIdentifierType": "URL",
                    "relationType": "IsObsoletedBy",
                }
                for recipe_id in facts.successors
            ),
        ],
    }
    if facts.about.license:
        document["rightsList"] = [{"rightsUri": facts.about.license}]
    return document
