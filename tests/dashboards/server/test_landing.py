"""The lasting page of an image set, and its metadata, over the network."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin

import numpy as np
import pytest
from bs4 import BeautifulSoup

from archive import Archive, ImageFilter, NotInArchive
from archive.replaced import file_replaced
from dashboards.server.landing import facts_for
from dashboards.server.scripts import source_for
from dashboards.shared.access import GUEST, Visitor


@pytest.fixture
def run(imaged: Archive) -> Any:
    return next(run for run in imaged.runs() if run.pointing_source == "aspect" and run.flare_id)


def fetch(url: str) -> tuple[str, bytes]:
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.headers["Content-Type"], answer.read()


def test_page_has_the_numbers_of_the_index(imaged_server: Any, imaged: Archive, run: Any) -> None:
    kind, body = fetch(f"{imaged_server.url}/image/{run.run_id}")
    assert kind.startswith("text/html")
    page = BeautifulSoup(body, "html.parser")
    images = imaged.images(ImageFilter(recipe_id=run.run_id), limit=100)
    rows = page.find("h2", string="Images").find_next("table").tbody.find_all("tr")
    assert len(rows) == len(images) > 1
    for image in images:
        (row,) = (row for row in rows if row.find("a", href=f"../archive/fits/{image.image_id}"))
        cells = [cell.get_text() for cell in row.find_all("td")]
        assert f"({image.peak_hpc_x:.1f}, {image.peak_hpc_y:.1f})".replace("-", "−") in cells[3]
        if image.total_flux is not None:
            assert cells[4].startswith(f"{image.total_flux:.3g}".replace("-", "−"))
        assert cells[2] == ("trusted" if image.trusted else "doubtful")
    text = page.get_text()
    assert run.energy_table in text
    assert run.version in text
    recipe = json.loads(run.recipe)
    for file in (recipe["science"], *recipe["aspect"]):
        assert file["name"] in text
        assert file["sha256"] in text


def test_links_of_the_page_lead_somewhere(imaged_server: Any, run: Any) -> None:
    """Every link to this server, followed; the FITS files are those of the metadata, byte for byte."""
    root = imaged_server.url
    _, body = fetch(f"{root}/image/{run.run_id}")
    page, broken = BeautifulSoup(body, "html.parser"), []
    for link in {*(a["href"] for a in page.main.find_all("a")), *(i["src"] for i in page.main.find_all("img"))}:
        if link.startswith("https://doi.org/"):
            continue
        address = link if link.startswith("http") else urljoin(f"{root}/image/{run.run_id}", link)
        assert address.startswith(root), address
        try:
            assert fetch(address)[1]
        except HTTPError as error:
            error.close()
            broken.append(f"{address}: {error.code}")
    assert broken == []
    dataset = json.loads(page.find("script", type="application/ld+json").string)
    for file in dataset["distribution"]:
        assert hashlib.sha256(fetch(file["contentUrl"])[1]).hexdigest() == file["sha256"]


def test_metadata_of_search_engines(imaged_server: Any, imaged: Archive, run: Any) -> None:
    """What Google Dataset Search requires and recommends, with its limits."""
    kind, body = fetch(f"{imaged_server.url}/image/{run.run_id}.jsonld")
    assert kind == "application/ld+json"
    dataset = json.loads(body)
    assert (dataset["@context"], dataset["@type"]) == ("https://schema.org/", "Dataset")
    assert 50 <= len(dataset["description"]) <= 5000
    assert dataset["url"] == dataset["@id"] == f"{imaged_server.url}/image/{run.run_id}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z/\d{4}-\d\d-\d\dT[\d:.]+Z", dataset["temporalCoverage"])
    assert len(dataset["distribution"]) == imaged.count_images(ImageFilter(recipe_id=run.run_id))
    for file in dataset["distribution"]:
        assert file["@type"] == "DataDownload"
        assert file["encodingFormat"] == "application/fits"
        assert re.fullmatch(r"[0-9a-f]{64}", file["sha256"])
    assert all(value["@type"] == "PropertyValue" and value["unitText"] for value in dataset["variableMeasured"])


def words_of(document: Any) -> Iterator[str]:
    """Keys and types in JSON-LD."""
    for item in document if isinstance(document, list) else [document]:
        if isinstance(item, dict):
            yield item["@type"]
            yield from (key for key in item if not key.startswith("@"))
            for value in item.values():
                yield from words_of(value)


def test_the_words_of_the_metadata_are_those_of_schema_org(imaged_server: Any, run: Any) -> None:
    """Every key and type is a term of schema.org; the list is that of RO-Crate, which has all of them."""
    vocabulary = json.loads(files("rocrate.data").joinpath("ro-crate.jsonld").read_text())["@context"]
    words = set(words_of(json.loads(fetch(f"{imaged_server.url}/image/{run.run_id}.jsonld")[1])))
    assert {"Dataset", "DataDownload", "Organization", "temporalCoverage"} <= words
    assert {word for word in words if vocabulary.get(word) != f"http://schema.org/{word}"} == set()


def test_metadata_of_a_doi(imaged_server: Any, run: Any) -> None:
    """The mandatory properties of DataCite 4.6 and its words."""
    kind, body = fetch(f"{imaged_server.url}/image/{run.run_id}.datacite.json")
    assert kind == "application/vnd.datacite.datacite+json"
    record = json.loads(body)
    assert {"identifiers", "creators", "titles", "publisher", "publicationYear", "types"} <= set(record)
    assert re.fullmatch(r"\d{4}", record["publicationYear"])
    assert record["types"]["resourceTypeGeneral"] == "Dataset"
    assert {date["dateType"] for date in record["dates"]} == {"Collected", "Created"}
    relations = {one["relationType"] for one in record["relatedIdentifiers"]}
    assert relations == {"IsDerivedFrom", "Cites"}
    for one in record["relatedIdentifiers"]:
        assert one["relatedIdentifierType"] in {"URL", "DOI"}
        assert one["relatedIdentifier"].startswith("10." if one["relatedIdentifierType"] == "DOI" else "http")


def test_bibtex_has_the_image_set_and_its_papers(imaged_server: Any, run: Any) -> None:
    kind, body = fetch(f"{imaged_server.url}/image/{run.run_id}.bib")
    assert kind == "application/x-bibtex; charset=utf-8"
    text = body.decode()
    keys = re.findall(r"^@(\w+)\{([^,]+),$", text, re.MULTILINE)
    assert keys[0] == ("misc", f"stix-{run.run_id}")
    assert ("article", "Krucker2020") in keys
    assert ("article", "Hogbom1974") in keys
    assert len(keys) == len(set(keys))
    assert text.count("{") == text.count("}")


def test_image_sets_that_are_not_there(imaged_server: Any) -> None:
    for suffix in ("", ".jsonld", ".bib"):
        with pytest.raises(HTTPError) as missing:
            fetch(f"{imaged_server.url}/image/{'0' * 16}{suffix}")
        assert missing.value.code == 404
        missing.value.close()


def test_hidden_images_are_for_those_who_see_them(imaged: Archive, run: Any) -> None:
    images = [one for one in imaged.images(limit=100) if one.recipe_id == run.run_id]
    try:
        imaged.upsert("images", [replace(one, hidden=True, author="alice") for one in images])
        with pytest.raises(NotInArchive):
            facts_for(imaged, run.run_id, "https://stix.example.org", GUEST)
        assert len(facts_for(imaged, run.run_id, "", Visitor("alice")).images) == len(images)
        imaged.upsert("images", images[:1])
        assert [one.image_id for one in facts_for(imaged, run.run_id, "", GUEST).images] == [images[0].image_id]
    finally:
        imaged.upsert("images", images)


@pytest.fixture
def replaced(imaged: Archive, run: Any) -> Iterator[Any]:
    """The image set of ``run`` as one that was removed, under another recipe id."""
    old = replace(run, run_id="0123456789abcdef")
    images = [
        replace(one, recipe_id=old.run_id, image_id=one.image_id.replace(run.run_id, old.run_id))
        for one in imaged.images(ImageFilter(recipe_id=run.run_id), limit=100)
    ]
    file_replaced(imaged.root, old, images, "its science file was reissued", np.datetime64("2026-11-30T12:00:00", "us"))
    yield replace(old), images
    shutil.rmtree(imaged.root / "replaced")


def test_a_replaced_image_set_keeps_its_page(imaged_server: Any, run: Any, replaced: Any) -> None:
    """What it was, why it is gone, what took its place, how to make it again, how to cite it."""
    old, _ = replaced
    root = f"{imaged_server.url}/image/{old.run_id}"
    with pytest.raises(HTTPError) as gone:
        fetch(root)
    assert gone.value.code == 410
    page = BeautifulSoup(gone.value.read(), "html.parser")
    gone.value.close()
    text = page.get_text()
    assert "removed on 2026-11-30: its science file was reissued." in text
    assert page.find("p", "problem").find("a", href=run.run_id) is not None
    assert page.find("img") is None
    assert page.find_all("a", href=re.compile("/fits/|/png/")) == []
    for link in page.find_all("a", href=re.compile("/script/")):
        script = fetch(urljoin(root, link["href"]))[1].decode()
        assert old.uid in script
    assert json.loads(fetch(f"{root}.recipe.json")[1]) == json.loads(old.recipe)
    dataset = json.loads(fetch(f"{root}.jsonld")[1])
    assert dataset["creativeWorkStatus"] == "Replaced"
    assert "distribution" not in dataset
    related = json.loads(fetch(f"{root}.datacite.json")[1])["relatedIdentifiers"]
    successors = [one["relatedIdentifier"] for one in related if one["relationType"] == "IsObsoletedBy"]
    assert f"{imaged_server.url}/image/{run.run_id}" in successors
    assert f"stix-{old.run_id}" in fetch(f"{root}.bib")[1].decode()


def test_hidden_replaced_images_stay_hidden(imaged: Archive, replaced: Any) -> None:
    old, images = replaced
    hidden = [replace(one, hidden=True, author="alice") for one in images]
    file_replaced(imaged.root, old, hidden, "no reason", np.datetime64("2026-11-30", "us"))
    for visitor in (GUEST, Visitor("bob")):
        with pytest.raises(NotInArchive):
            facts_for(imaged, old.run_id, "", visitor)
        with pytest.raises(NotInArchive):
            source_for(imaged, images[0].image_id, "", visitor)
    assert len(facts_for(imaged, old.run_id, "", Visitor("alice")).images) == len(images)
    assert source_for(imaged, images[0].image_id, "", Visitor("root", operator=True)).image == hidden[0]


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"format": 9}', "null", "[" * 100_000])
def test_a_damaged_record_of_a_replaced_image_set(imaged: Archive, replaced: Any, damage: str) -> None:
    old, _ = replaced
    (imaged.root / "replaced" / "01" / f"{old.run_id}.json").write_text(damage)
    with pytest.raises(NotInArchive):
        facts_for(imaged, old.run_id, "", GUEST)


def test_the_configured_address_is_the_lasting_one(imaged: Archive, run: Any) -> None:
    config = imaged.root / "config.toml"
    assert not config.exists()
    try:
        config.write_text('[about]\nname = "STIX at <Example>"\nurl = "https://stix.example.org/images/"\n')
        facts = facts_for(imaged, run.run_id, "http://127.0.0.1:5006", GUEST)
        assert facts.address == f"https://stix.example.org/images/image/{run.run_id}"
        assert facts.publisher == "STIX at <Example>"
    finally:
        config.unlink()
