"""OData: searches past what the service shows at once, descriptions, names and deleted products."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from shapely import MultiPolygon, Point, box

from services.ingest.fetch.errors import FetchError, Gone, Misconfigured, Refused, Unavailable
from services.ingest.fetch.network.http import Http
from services.ingest.fetch.provider import Offer, Query
from services.ingest.fetch.providers.odata import OData
from services.ingest.fetch.providers.odata_filter import conditions, literal
from services.ingest.fetch.providers.odata_product import offer_of_product
from tests.services.ingest.fetch.conftest import Asked, Said, Scripted, Serve, json_said

DAY = datetime(2024, 5, 1, tzinfo=UTC)
QUERY = Query("S2MSI2A", box(13, 52, 14, 53), published=(DAY, DAY + timedelta(days=30)))
_BETWEEN = re.compile(r"(?:PublicationDate|DeletionDate) (ge|le) (\S+)")


def record(number: int, published: datetime = DAY, **changed: Any) -> dict[str, Any]:
    return {
        "Id": str(UUID(int=number)),
        "Name": f"S2A_MSIL2A_20240501T101031_N0510_R022_T33UUU_20240501T{number:06d}.SAFE",
        "ContentLength": 1000,
        "PublicationDate": published.isoformat().replace("+00:00", "Z"),
        "Online": True,
        "S3Path": "/eodata/Sentinel-2/MSI/L2A/2024/05/01/X.SAFE",
        "Checksum": [{"Algorithm": "MD5", "Value": "AB" * 16}, {"Algorithm": "BLAKE3", "Value": "cd" * 32}],
        "ContentDate": {"Start": "2024-05-01T10:10:31.024000Z"},
        "Attributes": [{"Name": "productType", "Value": "S2MSI2A"}, {"Name": "cloudCover", "Value": 12.5}],
    } | changed


class Catalogue:
    """A catalogue that shows 10,000 products of a search, as the real one does."""

    def __init__(self, serve: Serve, records: list[dict[str, Any]], field: str = "PublicationDate") -> None:
        self.records = sorted(records, key=lambda each: str(each[field]), reverse=True)
        self.field = field
        self.queries: list[dict[str, str]] = []
        self.server = serve(self.answer)

    def answer(self, asked: Asked) -> Said:
        query = {key: value[0] for key, value in parse_qs(urlsplit(asked.path).query).items()}
        self.queries.append(query)
        skip, top = int(query["$skip"]), int(query["$top"])
        if skip > 10_000 or top > 1000:
            return json_said({"detail": [{"type": "less_than_equal"}]}, 422)
        bounds = {operator: datetime.fromisoformat(when) for operator, when in _BETWEEN.findall(query["$filter"])}
        found = [
            each
            for each in self.records
            if bounds["ge"] <= datetime.fromisoformat(each[self.field]) <= bounds["le"]
        ]  # fmt: skip
        page: dict[str, Any] = {"value": found[skip : skip + top]}
        if skip + top < len(found) and skip + top <= 10_000:
            page["@odata.nextLink"] = "http://elsewhere.example/"
        if query.get("$count") == "true":
            page["@odata.count"] = len(found)
        return json_said(page)


def odata(server: Scripted, client: Callable[..., Http]) -> OData:
    return OData(client(server.address), server.address + "/odata/v1", "https://download.example/odata/v1")


def test_a_recorded_product_becomes_an_offer(data: Path) -> None:
    recorded = json.loads((data / "api-recordings/cdse-odata/sentinel2_l1c_search.json").read_text())["value"][0]
    offer = offer_of_product(recorded, "https://download.example/odata/v1")
    assert offer == Offer(
        name="S2A_MSIL1C_20200808T010311_N0500_R045_T54PXA_20230413T212505",
        id="05edf2bb-d103-49f1-a677-9e474138d84f",
        product_type="S2MSI1C",
        sensed=datetime(2020, 8, 8, 1, 3, 11, 24000, UTC),
        published=datetime(2023, 8, 23, 9, 26, 23, 105134, UTC),
        size=224105657,
        checksums={
            "md5": "923ac4992d90b57d41e7ace4d9d90757",
            "blake3": "2f787caed527ffeb3245594a465abd127da5ee7eaeb974f9a9ab4342f2fba7cf",
        },
        online=True,
        cloud_percent=95.136736479015,
        platform="sentinel-2a",
        mgrs_tile="T54PXA",
        quicklook="https://catalogue.dataspace.copernicus.eu/odata/v1/Assets(385d0a62-ec57-413b-a8b8-12c0e79848f6)/$value",
        places={
            "archive": "https://download.example/odata/v1/Products(05edf2bb-d103-49f1-a677-9e474138d84f)/$value",
            "s3": "Sentinel-2/MSI/L1C_N0500/2020/08/08/"
            "S2A_MSIL1C_20200808T010311_N0500_R045_T54PXA_20230413T212505.SAFE/",
        },
    )


def test_what_a_catalogue_does_not_know_is_left_open() -> None:
    offer = offer_of_product(record(1, Checksum=[], ContentLength=0, S3Path="/eodata/x.zip", Online=None), "https://d")
    assert (offer.size, offer.checksums, offer.online, "s3" in offer.places) == (None, {}, None, False)


def test_all_pages_come_newest_first(scripted: Serve, client: Callable[..., Http]) -> None:
    records = [record(number, DAY + timedelta(minutes=number)) for number in range(1234)]
    catalogue = Catalogue(scripted, records)
    offers = list(odata(catalogue.server, client).search(QUERY))
    assert [offer.published for offer in offers] == sorted((offer.published for offer in offers), reverse=True)
    assert len(offers) == 1234
    assert [query["$skip"] for query in catalogue.queries] == ["0", "500", "1000"]
    assert [query.get("$count") for query in catalogue.queries] == ["true", None, None]


def test_more_than_the_service_shows_is_found_by_splitting(
    scripted: Serve, client: Callable[..., Http], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [record(number, DAY + timedelta(seconds=number)) for number in range(12_500)]
    light = [{key: each[key] for key in ("Id", "PublicationDate")} for each in records]
    catalogue = Catalogue(scripted, light)
    monkeypatch.setattr("services.ingest.fetch.providers.odata.offer_of_product", lambda product, _: product["Id"])
    found = list(odata(catalogue.server, client).search(QUERY))
    assert len(found) == len(set(found)) == 12_500
    assert found == [each["Id"] for each in catalogue.records]
    assert all(int(query["$skip"]) <= 10_000 for query in catalogue.queries)


def test_what_was_published_between_two_halves_is_found(
    scripted: Serve, client: Callable[..., Http], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.fetch.providers.odata.STOP", 4)
    records = [record(number, DAY + timedelta(microseconds=500 * number + 250)) for number in range(32)]
    catalogue = Catalogue(scripted, records)
    query = replace(QUERY, published=(DAY, DAY + timedelta(microseconds=500 * 31 + 250)))
    found = list(odata(catalogue.server, client).search(query))
    assert [UUID(offer.id).int for offer in found] == list(range(31, -1, -1))


@pytest.mark.parametrize(
    "published", [(DAY, DAY + timedelta(microseconds=1)), (DAY, DAY + timedelta(microseconds=1100))]
)
def test_the_shortest_times_end(published: Any, scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: json_said({"@odata.count": 10_001, "value": [record(1)]}))
    late = tuple(when + timedelta(microseconds=100) for when in published)
    with pytest.raises(Refused, match="share one time"):
        list(odata(server, client).search(replace(QUERY, published=late)))


@pytest.mark.parametrize("last", [0, 100])
def test_a_list_that_ends_before_its_count_is_not_whole(
    last: int, scripted: Serve, client: Callable[..., Http]
) -> None:
    def answer(asked: Asked) -> Said:
        skip = int(parse_qs(urlsplit(asked.path).query)["$skip"][0])
        page = [record(n) for n in range(skip, skip + (last if skip else 500))]
        return json_said({"value": page} | ({} if skip else {"@odata.count": 1200}))

    found = odata(scripted(answer), client).search(QUERY)
    assert len([next(found) for _ in range(500 + last)]) == 500 + last, "what came is good"
    with pytest.raises(Unavailable, match=f"{500 + last} of 1200 products came"):
        next(found)


def test_too_many_at_one_time_are_refused(scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: json_said({"@odata.count": 10_001, "value": [record(1)]}))
    with pytest.raises(Refused, match="share one time"):
        list(odata(server, client).search(QUERY))
    assert len(server.asked) < 50


def test_a_list_without_end_is_refused(
    scripted: Serve, client: Callable[..., Http], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.fetch.providers.odata.PRODUCTS_LIMIT", 50)
    server = scripted(
        lambda asked: json_said(
            {"value": [record(len(server.asked) * 10 + n) for n in range(10)], "@odata.nextLink": ""}
        )
    )
    with pytest.raises(Refused, match="does not end"):
        list(odata(server, client).search(QUERY))


def test_products_that_repeat_come_once_and_broken_ones_not_at_all(
    scripted: Serve, client: Callable[..., Http]
) -> None:
    values = [
        record(1),
        record(1),
        record(2, Name="../../x"),
        record(3, PublicationDate=""),
        record(4, Id=4),
        record(5),
    ]
    server = scripted(lambda asked: json_said({"value": values, "@odata.count": 6}))
    assert [UUID(offer.id).int for offer in odata(server, client).search(QUERY)] == [1, 5]


def test_the_filter_is_complete() -> None:
    query = Query("S2MSI2A", box(13, 52, 14, 53), (DAY, None), (None, None), 40.0, "sentinel-2b", "T33UUU")
    string = (
        "Attributes/OData.CSC.StringAttribute/any(att:att/Name eq '{}' and att/OData.CSC.StringAttribute/Value eq '{}')"
    )
    assert conditions(query) == [
        "Collection/Name eq 'SENTINEL-2'",
        string.format("productType", "S2MSI2A"),
        "ContentDate/Start ge 2024-05-01T00:00:00.000Z",
        "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((14 52,14 53,13 53,13 52,14 52))')",
        "Attributes/OData.CSC.DoubleAttribute/any(att:att/Name eq 'cloudCover' and "
        "att/OData.CSC.DoubleAttribute/Value le 40.000000)",
        string.format("tileId", "33UUU"),
        "startswith(Name,'S2B_')",
    ]
    assert not any("cloud" in each for each in conditions(Query("OL_1_EFR___", query.aoi, max_cloud_percent=1.0)))


def test_an_outline_is_never_too_long_to_be_sent() -> None:
    def outline(aoi: Any) -> str:
        return conditions(Query("S2MSI2A", aoi))[2]

    assert outline(MultiPolygon([box(0, 0, 1, 1), box(5, 5, 6, 6)])).count("OData.CSC.Intersects") == 2
    assert len(outline(Point(0, 0).buffer(1, quad_segs=2000))) < 3200
    assert len(outline(MultiPolygon([box(n, 0, n + 0.5, 1) for n in range(80)]))) < 3200


def test_texts_are_quoted_or_refused() -> None:
    assert literal("O'Neill' or 1 eq 1") == "'O''Neill'' or 1 eq 1'"
    for text in ("a\nb", "a\x00", "a" * 301):
        with pytest.raises(Misconfigured):
            literal(text)


OFFER = offer_of_product(record(1), "https://download.example/odata/v1")


def test_a_product_is_described_by_its_uuid(scripted: Serve, client: Callable[..., Http]) -> None:
    server = scripted(lambda asked: json_said(record(1, Online=False)))
    assert odata(server, client).describe(OFFER) == OFFER.model_copy(update={"online": False})
    assert urlsplit(server.asked[0].path).path == f"/odata/v1/Products({UUID(int=1)})"


def test_a_product_with_a_new_uuid_is_described_by_its_name(scripted: Serve, client: Callable[..., Http]) -> None:
    def answer(asked: Asked) -> Said:
        return json_said({"value": [record(1, Id=str(UUID(int=9)))]}) if "filter" in asked.path else Said(404)

    server = scripted(answer)
    assert UUID(odata(server, client).describe(OFFER).id).int == 9
    assert parse_qs(urlsplit(server.asked[1].path).query)["$filter"] == [f"Name eq '{OFFER.name}.SAFE'"]


def test_a_product_that_is_gone_says_why(scripted: Serve, client: Callable[..., Http]) -> None:
    def answer(asked: Asked) -> Said:
        if "DeletedProducts(" in asked.path:
            return json_said(record(1, DeletionDate="2024-06-01T00:00:00.000Z", DeletionCause="Obsolete product"))
        return json_said({"value": []}) if "filter" in asked.path else Said(404)

    with pytest.raises(Gone, match="Obsolete product"):
        odata(scripted(answer), client).describe(OFFER)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (json_said([]), Unavailable),
        (json_said(record(1, ContentDate=None)), Unavailable),
        (json_said(record(2)), Refused),
        (Said(200, b"<html>"), Unavailable),
    ],
)
def test_a_strange_description_has_its_error(
    said: Said, kind: type[FetchError], scripted: Serve, client: Callable[..., Http]
) -> None:
    with pytest.raises(FetchError) as caught:
        odata(scripted(lambda asked: said), client).describe(OFFER)
    assert type(caught.value) is kind


def test_deletions_are_told_with_their_cause(scripted: Serve, client: Callable[..., Http]) -> None:
    when = DAY + timedelta(days=1)
    records = [
        record(n, DeletionDate=when.isoformat().replace("+00:00", "Z"), DeletionCause="Corrupted\nproduct")
        for n in (1, 2)
    ]
    catalogue = Catalogue(scripted, records, "DeletionDate")
    deletions = list(odata(catalogue.server, client).deletions("S2MSI2A", DAY))
    assert [(each.name, each.deleted, each.cause) for each in deletions] == [
        (record(n)["Name"].removesuffix(".SAFE"), when, "Corrupted product") for n in (1, 2)
    ]
    assert "contains(Name,'_MSIL2A_')" in catalogue.queries[0]["$filter"]
    assert "Intersects" not in catalogue.queries[0]["$filter"]
    inside = odata(catalogue.server, client)
    inside.outline = QUERY.aoi
    assert list(inside.deletions("S2MSI2A", DAY)) == deletions
    assert "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((14 52," in catalogue.queries[1]["$filter"]


@pytest.mark.parametrize("said", [json_said([]), json_said({"value": 1}), json_said({"value": [1]})])
def test_a_strange_list_is_unavailable(said: Said, scripted: Serve, client: Callable[..., Http]) -> None:
    with pytest.raises(Unavailable):
        list(odata(scripted(lambda asked: said), client).search(QUERY))


def test_an_address_that_is_none_of_a_catalogue(scripted: Serve, client: Callable[..., Http]) -> None:
    with pytest.raises(Misconfigured):
        list(odata(scripted(lambda asked: Said(404)), client).search(QUERY))
