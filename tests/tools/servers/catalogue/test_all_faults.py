"""Whatever goes wrong, who asks again and looks at what came gets every product whole."""

from __future__ import annotations

import hashlib
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import httpx

from tests.tools.servers.catalogue.products import GRANT, safe
from tools.servers.catalogue import CatalogueServer, Fault, Product
from tools.servers.catalogue.bombs import BOMBS
from tools.servers.catalogue.fault import Kind

TLS = ssl.create_default_context()
"""Loaded once: each client would load it anew."""

LASTING = {"vanish", "offline", "foreign", "endless", "redirect", "astray"}
"""What asking again does not mend, or needs an address."""
SHORT = [kind for kind in get_args(Kind) if kind not in LASTING | set(BOMBS)]


def fetch(server: CatalogueServer, product: Product, tries: int = 60) -> bytes:
    """Fetch a product as a patient and careful client does."""
    for _ in range(tries):
        try:
            with httpx.Client(verify=TLS, trust_env=False, timeout=0.3) as http:
                stated = http.get(f"{server.odata_url}/Products({product.id})").json()["Checksum"][0]["Value"]
                bearer = {"Authorization": f"Bearer {http.post(server.token_url, data=GRANT).json()['access_token']}"}
                got = http.get(f"{server.download_url}/Products({product.id})/$value", headers=bearer)
                if got.status_code == 200 and hashlib.md5(got.content).hexdigest() == stated:
                    return got.content
        except (httpx.HTTPError, ValueError, KeyError):
            continue
    raise AssertionError(f"{product.name} never came")


def test_every_fault_passes() -> None:
    faults = [
        Fault(kind, route, share=0.05, seconds=0.5 if kind == "hang" else 0.01)
        for kind in SHORT
        for route in ("odata", "download")
    ]
    products = [Product.named(safe(number)) for number in range(12)]
    with CatalogueServer(products, faults=faults) as server:
        with ThreadPoolExecutor(4) as pool:
            archives = list(pool.map(lambda product: fetch(server, product), products))
        assert all(archive.startswith(b"PK") for archive in archives)
        assert not server.seen.forbidden
        assert len(server.seen.faults) > 8
        assert server.seen.most_streams <= 4
