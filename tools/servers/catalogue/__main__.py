"""`python -m tools.servers.catalogue`: offer the products of a folder until told to stop."""

from __future__ import annotations

import argparse
from pathlib import Path

from shared.run.signals import stop_on_signals
from tools.servers.catalogue import CatalogueServer, Product
from tools.servers.catalogue.threads import HOST


def main() -> None:
    """Start the server and print its addresses."""
    parser = argparse.ArgumentParser(prog="python -m tools.servers.catalogue", description=__doc__)
    parser.add_argument("--products", type=Path, required=True, help="folder of SAFE and SEN3 folders or zips")
    parser.add_argument("--port", type=int, default=0, help="0 = any that is free")
    parser.add_argument("--host", default=HOST, help="address of this machine to listen on [default: %(default)s]")
    arguments = parser.parse_args()
    told = stop_on_signals()
    products = [Product.at(path) for path in sorted(arguments.products.iterdir()) if _is_product(path)]
    with CatalogueServer(products, port=arguments.port, host=arguments.host) as server:
        print(f"{len(products)} products")
        for name, address in {**server.addresses, "api_url (dhus)": server.dhus_url}.items():
            print(f"{name}: {address}")
        account = server.account
        print(f"username: {account.username}\npassword: {account.password}")
        print(f"access key: {account.access_key}\nsecret key: {account.secret_key}", flush=True)
        told.wait()
        print("stopped")


def _is_product(path: Path) -> bool:
    return path.name.upper().endswith((".SAFE", ".SEN3", ".SAFE.ZIP", ".SEN3.ZIP"))


if __name__ == "__main__":
    main()
