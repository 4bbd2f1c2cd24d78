"""The products that the server offers now, those that it took away, and their archives."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tools.servers.catalogue.content import Digests, digests_of, write_archive
from tools.servers.catalogue.product import Product


@dataclass(frozen=True)
class Removed:
    """A product that was taken away: when (UTC), and why."""

    product: Product
    deleted: datetime
    cause: str


class Shelf:
    """All products; every method may be called from any thread.

    Args:
        products: to begin with.
        folder: where archives are made, each once, when it is first asked for.
    """

    def __init__(self, products: Iterable[Product], folder: Path) -> None:
        self._products = {product.id: product for product in products}
        self._removed: dict[str, Removed] = {}
        self._folder = folder
        self._askings: Counter[str] = Counter()
        self._digests: dict[tuple[str, int], Digests] = {}
        self._lock = threading.RLock()
        self._making = threading.Lock()
        self.generation = 0
        """Raised with every change: what was found before is then found anew."""
        self.heard: list[Callable[[str, Product, Removed | None], None]] = []
        """Called with `created`, `modified` or `deleted` at every change."""

    def all(self) -> list[Product]:
        """Return what is offered."""
        with self._lock:
            return list(self._products.values())

    def removed(self) -> list[Removed]:
        """Return what was taken away."""
        with self._lock:
            return list(self._removed.values())

    def get(self, product_id: str) -> Product | None:
        """Return a product by its UUID; None if it is not offered."""
        with self._lock:
            return self._products.get(product_id)

    def named(self, name: str) -> Product | None:
        """Return a product by its name without `.SAFE` or `.SEN3`; None if it is not offered."""
        with self._lock:
            return next((product for product in self._products.values() if product.name == name), None)

    def put(self, product: Product) -> None:
        """Offer a product, or describe one anew."""
        with self._lock:
            event = "modified" if product.id in self._products else "created"
            self._products[product.id] = product
            self._removed.pop(product.id, None)
            self._changed(event, product)

    def republish(self, product_id: str) -> None:
        """Change the archive of a product: the same files in other bytes."""
        with self._lock:
            self.put(self._products[product_id].republished())

    def remove(self, product_id: str, cause: str = "Obsolete product", deleted: datetime | None = None) -> None:
        """Take a product away; one that is away already stays so."""
        with self._lock:
            product = self._products.pop(product_id, None)
            if product is not None:
                self._removed[product_id] = Removed(product, deleted or datetime.now(UTC), cause)
                self._changed("deleted", product)

    def order(self, product_id: str) -> bool:
        """Ask for an offline product; return whether it is online now."""
        with self._lock:
            product = self._products[product_id]
            self._askings[product_id] += not product.online
            if not product.online and self._askings[product_id] >= product.askings:
                self.put(replace(product, online=True))
            return self._products[product_id].online

    def archive(self, product: Product) -> Path:
        """Return a product's archive, made when it is first asked for."""
        path = self._folder / f"{product.id}.{product.version}.zip"
        with self._making:
            if not path.exists():
                partial = path.with_suffix(".partial")
                with open(partial, "w+b") as file:
                    write_archive(file, product.folder, product.path, product.version)
                partial.replace(path)
        return path

    def digests(self, product: Product) -> Digests:
        """Return size and checksums of a product's archive."""
        path = self.archive(product)
        with self._making:
            key = (product.id, product.version)
            if key not in self._digests:
                self._digests[key] = digests_of(path)
            return self._digests[key]

    def _changed(self, event: str, product: Product) -> None:
        self.generation += 1
        for hear in self.heard:
            hear(event, product, self._removed.get(product.id))
