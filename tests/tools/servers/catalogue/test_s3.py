"""The bucket, as boto3 sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import Config
from botocore.exceptions import ClientError

from tests.tools.servers.catalogue.products import ACCOUNT, make_safe, safe
from tools.servers.catalogue import CatalogueServer, Fault, Product

PREFIX = f"Sentinel-2/MSI/L2A/2024/05/01/{safe(0)}.SAFE/"


def client(server: CatalogueServer, access_key: str = ACCOUNT.access_key) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.s3_endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=ACCOUNT.secret_key,
        region_name="default",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CatalogueServer]:
    with CatalogueServer([Product.at(make_safe(tmp_path)), Product.named(safe(1))]) as server:
        yield server


def test_all_objects_are_listed_over_pages(server: CatalogueServer) -> None:
    s3 = client(server)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="eodata", Prefix=PREFIX, PaginationConfig={"PageSize": 2}
    )
    sizes = {entry["Key"]: entry["Size"] for page in pages for entry in page["Contents"]}
    assert sizes[PREFIX + "GRANULE/B02.jp2"] == 63_000
    assert len(sizes) == 3
    assert server.seen.requests["s3"] == 2
    assert "Contents" not in s3.list_objects_v2(Bucket="eodata", Prefix="Sentinel-2/MSI/L2A/2024/05/02/")
    folders = s3.list_objects_v2(Bucket="eodata", Prefix="Sentinel-2/MSI/L2A/2024/05/01/", Delimiter="/")
    assert next(entry["Prefix"] for entry in folders["CommonPrefixes"]) == PREFIX
    s3.close()


def test_an_object_is_read_whole_and_in_part(server: CatalogueServer) -> None:
    s3, key = client(server), PREFIX + "GRANULE/B02.jp2"
    assert s3.head_object(Bucket="eodata", Key=key)["ContentLength"] == 63_000
    assert s3.get_object(Bucket="eodata", Key=key, Range="bytes=1-7")["Body"].read() == b"icturep"
    assert not server.seen.whole
    assert s3.get_object(Bucket="eodata", Key=key)["Body"].read() == b"picture" * 9000
    assert server.seen.whole == {key: 1}
    assert not server.seen.forbidden
    s3.close()


@pytest.mark.parametrize(("key", "code"), [("nothing", "NoSuchKey"), (PREFIX + "../manifest.safe", "NoSuchKey")])
def test_what_is_not_there_is_refused(server: CatalogueServer, key: str, code: str) -> None:
    s3 = client(server)
    with pytest.raises(ClientError, match=code):
        s3.get_object(Bucket="eodata", Key=key)
    s3.close()


def test_a_wrong_key_and_an_offline_product_are_refused(server: CatalogueServer) -> None:
    wrong = client(server, "ANOTHERKEY")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        wrong.list_objects_v2(Bucket="eodata")
    wrong.close()
    product = server.shelf.named(safe(0))
    assert product is not None
    server.shelf.put(replace(product, online=False))
    s3 = client(server)
    with pytest.raises(ClientError, match="InvalidObjectState"):
        s3.get_object(Bucket="eodata", Key=PREFIX + "manifest.safe")
    assert server.seen.forbidden == [f"asked for {PREFIX}manifest.safe, which is offline"]
    s3.close()


@pytest.mark.parametrize("call", ["list", "get"])
def test_a_product_vanishes(server: CatalogueServer, call: str) -> None:
    server.faults.add(Fault("vanish", "s3", count=1))
    s3 = client(server)
    if call == "list":
        assert s3.list_objects_v2(Bucket="eodata", Prefix=PREFIX)["KeyCount"] == 0
    else:
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3.get_object(Bucket="eodata", Key=PREFIX + "manifest.safe")
    assert [removed.product.name for removed in server.shelf.removed()] == [safe(0)]
    s3.close()


def test_a_list_has_no_end(server: CatalogueServer) -> None:
    server.faults.add(Fault("endless", "s3"))
    s3 = client(server)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="eodata", Prefix=PREFIX)
    tokens = [page["NextContinuationToken"] for page in islice(pages, 6)]
    assert len(set(tokens)) == 6
    s3.close()
