"""A server on loopback that speaks as the catalogues of Sentinel products do, with faults on command.

For tests, and to try Landstream without an account: `python -m tools.servers.catalogue --products DIR`.
"""

from __future__ import annotations

from tools.servers.catalogue.earth import Asset, Scene
from tools.servers.catalogue.fault import Fault
from tools.servers.catalogue.product import Product
from tools.servers.catalogue.seen import Limits
from tools.servers.catalogue.server import CatalogueServer
from tools.servers.catalogue.stranger import Stranger
from tools.servers.catalogue.tokens import Account

__all__ = ["Account", "Asset", "CatalogueServer", "Fault", "Limits", "Product", "Scene", "Stranger"]
