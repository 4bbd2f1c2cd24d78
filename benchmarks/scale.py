"""What a store costs as it grows: status, maps, a run with nothing to do, one event, the sweeper's rounds.

`python benchmarks/scale.py` makes stores of 1,000, 10,000 and 100,000 synthetic items in a folder (1,000 a week, in the
proportions of a country's season; `--most 1000000` for a million), measures each command in a process of its own, and
prints a table with exponents. `--s3` measures a sweeper and one event over versitygw instead, and counts requests.

The items are those that the stages plan: made by their own plans, so that nothing is due. Landing holds the deliveries
of the last two weeks, of 120 objects each; receipts are those of all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from services.sweeper.requests import training_request
from services.tiler.stage import SENSORS
from shared.area import Area
from shared.area.area import parse_area
from shared.geo import TileIndex
from shared.items.catalogue import Catalogue
from shared.items.ids import canonical, make_id, numbered_id
from shared.items.item import Item
from shared.items.landing import landing_unit
from shared.items.partition import MemoryShelf
from shared.items.properties import HoldOutFacts, MapFacts
from shared.items.sheets import runs_of
from shared.items.stac import make_item
from shared.items.summary import WeekSummary, current_labels, summarize
from shared.items.weeks import STATIC, iso_week
from shared.stage import registry
from shared.stage.due import planned
from shared.store import AREA_KEY, FolderStore, area_json

ROOT = Path(__file__).parents[1]
S2_PER_WEEK, OLCI_PER_WEEK = 290, 30
UNIT_OBJECTS, LANDED_WEEKS = 120, 2
FAILED_SHARE = 50
FIRST_MONDAY = datetime(2010, 1, 4, 9, 20, 31, tzinfo=UTC)
POLYGON = {"type": "Polygon", "coordinates": [[[23, 45], [24, 45], [24, 46], [23, 46], [23, 45]]]}
RULES = registry.rules()
STAGES = {stage.name: stage for stage in registry.all_stages()}


def country() -> Area:
    """Return an area as large as Romania: 215 x 291 tiles."""
    return parse_area(
        {
            "name": "scale", "aoi": [20.3, 43.6, 29.7, 48.3], "labels": "clc-level1", "label_year": 2018,
            "years": list(range(2010, 2036)), "level": "l2a",
            "grid": {"epsg": 32635, "origin_x_m": 120000, "origin_y_m": 5340000, "rows": 215, "cols": 291},
            "remap": 8, "promote": "always",
        },
        "benchmark",
    )  # fmt: skip


def assets(names: Iterable[str]) -> dict[str, Any]:
    """Assets as large as real ones."""
    digest = hashlib.sha256(b"").hexdigest()
    return {
        n: {
            "href": f"../../../artifacts/sentinel-2-l2a/2018-W23/x/{n}-{digest[:12]}.jp2", "type": "image/jp2",
            "roles": ["data"], "title": n, "file:size": 12_345_678, "file:checksum": "1220" + digest,
            "proj:shape": [10980, 10980], "proj:transform": [10.0, 0.0, 300000.0, 0.0, -10.0, 5100000.0],
            "data_type": "uint16", "nodata": 0,
        }
        for n in names
    }  # fmt: skip


def scenes(week_start: datetime) -> Iterator[Item]:
    """Yield a week's registered products: fifty MGRS tiles, some of them several times."""
    week = iso_week(week_start)
    bands = [f"B{n:02d}_{m}m" for n, m in ((2, 10), (3, 10), (4, 10), (8, 10), (5, 20), (6, 20), (7, 20), (11, 20))]
    for n in range(S2_PER_WEEK):
        tile = f"T{34 + n % 2}T{chr(65 + n % 25)}R"
        start = week_start + timedelta(hours=n // 50, seconds=n)
        stamp = start.strftime("%Y%m%dT%H%M%S")
        product = f"S2A_MSIL2A_{stamp}_N0500_R093_{tile}_{stamp}"
        properties = {
            "datetime": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "landstream:scene": f"S2A_MSIL2A_{stamp}_R093_{tile}",
            "landstream:product": product, "landstream:product_version": [0, 500], "landstream:level": "l2a",
            "landstream:mgrs_tile": tile, "landstream:offsets": dict.fromkeys(bands, -1000), "platform": "sentinel-2a",
            "landstream:quantification": 10000, "landstream:attribution": "Contains modified Copernicus Sentinel data",
        }  # fmt: skip
        yield made("sentinel-2-l2a", week, make_id(product, 1, f"{n:08x}"), properties, [], [*bands, "SCL_20m"])
    for n in range(OLCI_PER_WEEK):
        start = week_start + timedelta(hours=12, seconds=n)
        stamp = start.strftime("%Y%m%dT%H%M%S")
        product = f"S3A_OL_1_EFR____{stamp}_{stamp}_{stamp}_0003_032_272_{n:04d}_LN1_O_NT_002"
        properties = {
            "datetime": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "landstream:scene": f"S3A_EFR_{week}_{n}",
            "landstream:product": product, "landstream:product_version": ["NT", "002", stamp],
            "landstream:product_type": "EFR",
        }  # fmt: skip
        yield made("sentinel-3-olci-l1b", week, make_id(product, 1, f"{n:08x}"), properties, [], ["geo_coordinates"])


def made(
    collection: str, week: str, item_id: str, properties: dict[str, Any], inputs: list[Item], names: Iterable[str] = ()
) -> Item:
    """Return an item as the runner would write it."""
    json_ = make_item(
        collection=collection, week=week, item_id=item_id, geometry=POLYGON, bbox=(23, 45, 24, 46),
        properties=properties, assets=assets(names), inputs=inputs, stage="benchmark", stage_version=1,
    )  # fmt: skip
    return Item(json_, week)


def results(stage: str, sources: list[Item], catalogue: Catalogue) -> Iterator[Item]:
    """Yield what a stage would make of a week, by its own plan."""
    declared = STAGES[stage]
    consumed = [s for s in sources if s.collection in declared.consumes]
    for due in planned(declared, consumed, catalogue, declared.settings()):
        job, first = due.job, due.job.inputs[0].item
        properties: dict[str, Any] = {"datetime": first.properties.get("datetime"), "landstream:product": job.product}
        if stage == "tiler":
            sensor, tiles = SENSORS[first.collection], [] if job.week == STATIC else tiles_of(job.product)
            properties |= {
                "landstream:sensor": sensor,
                "landstream:week": job.week,
                "landstream:tiles": tiles,
            }
        if stage == "inference":
            properties |= {
                "datetime": None, "start_datetime": "2018-06-04T00:00:00Z", "end_datetime": "2018-06-10T00:00:00Z",
                **map_facts(job.parameters["sheet"], job.parameters["ledger"], first.id).properties(),
            }  # fmt: skip
        yield made(job.collection, job.week, due.output_id, properties, [s.item for s in job.inputs], ["data"])


def map_facts(sheet: tuple[int, int], ledger: str, model: str) -> MapFacts:
    """Return what a map of a whole sheet in the AOI says of itself."""
    classes = {
        str(value): {"code": str(value), "name": f"class {value}", "pixels": 13_421_772, "area_km2": 1342.2}
        for value in range(1, 6)
    }
    return MapFacts(
        sheet=sheet, ledger=ledger, model=model, aoi_ha=671_100.0, observed_ha=671_100.0, observed_percent=100.0,
        classes=classes, attribution="Contains modified Copernicus Sentinel data",
    )  # fmt: skip


def tiles_of(product: str) -> list[list[int]]:
    """Return the 43 x 43 tiles of a product, at a place told by its name."""
    place = product.split("_")[5 if product[1] == "2" else -5]
    number = int.from_bytes(hashlib.sha256(place.encode()).digest()[:4], "big")
    row, col = number % (215 - 43), (number // 1000) % (291 - 43)
    return runs_of(TileIndex(r, c) for r in range(row, row + 43) for c in range(col, col + 43))


def catalogue_of(items: Iterable[Item], area: Area) -> Catalogue:
    """Return the catalogue of some items."""
    return Catalogue(MemoryShelf(items), area, RULES)


def write(root: Path, key: str, data: bytes) -> None:
    """Lay an object into a folder: of a store in a folder, or of versitygw's."""
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def put(root: Path, items: Iterable[Item]) -> None:
    """Write items."""
    for item in items:
        write(root, item.key, canonical(item.json))


def make_store(root: Path, count: int) -> None:
    """Make a store of about so many items, of 1,000 each week."""
    area, weeks = country(), max(1, count // 1000)
    write(root, AREA_KEY, area_json(area))
    (root / ".landstream").mkdir(exist_ok=True)
    clc = made("label-polygons", STATIC, "clc--v1-00000000", {
        "datetime": "2018-01-01T00:00:00Z", "landstream:label_source": area.labels.source,
        "landstream:campaign": "2018", "landstream:reference_year": 2018, "landstream:release": "20",
        "landstream:scene": "clc",
        "landstream:product_version": [],
    }, [])  # fmt: skip
    static = [clc]
    for stage in ("rasterize", "tiler"):
        static += results(stage, list(static), catalogue_of(static, area))
    starts = [FIRST_MONDAY + timedelta(weeks=n) for n in range(weeks)]
    summaries: list[WeekSummary] = []
    for start in starts:
        items = list(scenes(start))
        for stage in ("cloudmask", "reprojection", "tiler"):
            items += results(stage, items, catalogue_of([*static, *items], area))
        put(root, items)
        summaries.append(summarize(catalogue_of([*static, *items], area), iso_week(start)))
    labels = current_labels(catalogue_of(static, area))
    key, data = training_request(summaries, labels, area)
    request = Item.parse(data, STATIC)
    static.append(hold_out(labels, catalogue_of(static, area)))
    models = train(request, area)
    promotion = made("promotions", STATIC, numbered_id(area.name, 1), {
        "datetime": None, "start_datetime": "2010-01-04T00:00:00Z", "end_datetime": "2036-01-04T00:00:00Z",
        "landstream:model": models[-1].id, "landstream:rule": "always",
    }, [models[-1]])  # fmt: skip
    static += [*models, promotion]
    put(root, static)
    write(root, key, data)
    for start in starts:
        week = iso_week(start)
        items = read_week(root, week)
        updates = [i for i in items if i.collection == "cube-updates"]
        put(root, results("inference", updates, catalogue_of([*static, *items], area)))
    deliver(root, starts)


def read_week(root: Path, week: str) -> list[Item]:
    """Return the items of a week, as written."""
    return [Item.parse(p.read_bytes(), week) for p in sorted(root.glob(f"items/*/{week}/*.json"))]


def hold_out(labels: Sequence[Item], catalogue: Catalogue) -> Item:
    """Return the hold-out that the trainings of some labels are scored on."""
    from services.trainer.hold_outs import plan_hold_out
    from shared.stage.due import job_digest

    job, stage = plan_hold_out(labels, None, catalogue), STAGES["trainer"]
    facts = HoldOutFacts(
        number=1, labels=job.notes["labels"], blocks={"training": 0, "holdout": 0, "new": 0}, classes={}
    )
    item_id = make_id(job.product, stage.version, job_digest(stage, job, stage.settings()))
    properties = {"datetime": job.notes["datetime"], **facts.properties()}
    return made(job.collection, STATIC, item_id, properties, [], ["hold_out"])


def train(request: Item, area: Area) -> list[Item]:
    """Return the model of the present state, and those of a year before it."""
    settings = request.properties["landstream:training"]

    def model(item_id: str, state: str) -> Item:
        return made("models", STATIC, item_id, {
            "datetime": None, "start_datetime": "2010-01-04T00:00:00Z", "end_datetime": "2036-01-04T00:00:00Z",
            "landstream:cube_state": state, "landstream:training": settings, "landstream:model_version": 1,
        }, [request], ["model", "card", "split"])  # fmt: skip

    from shared.stage.declare import Job
    from shared.stage.due import job_digest
    from shared.stage.source import Source

    present = request.properties["landstream:cube_state"]
    parameters = {name: request.properties[f"landstream:{name}"] for name in ("cube_state", "training")}
    job = Job("models", area.name, STATIC, (Source(request, ()),), parameters)
    stage = STAGES["trainer"]
    old = [model(make_id(area.name, 1, f"{n:08x}"), f"{n:064x}") for n in range(50)]
    return [*old, model(make_id(area.name, 1, job_digest(stage, job, stage.settings())), present)]


def deliver(root: Path, starts: list[datetime]) -> None:
    """Receipts of all deliveries, failure records of some, and the objects of the last weeks'."""
    store = FolderStore(root)
    for start in starts:
        for n, scene in enumerate(scenes(start)):
            unit = f"{scene.product}.SAFE"
            landed = start in starts[-LANDED_WEEKS:]
            if landed:
                for o in range(UNIT_OBJECTS):
                    write(root, f"landing/{unit}/GRANULE/IMG_DATA/{o:03d}.jp2", b"")
            write(root, f"receipts/{unit}/{receipt_id(store, unit) if landed else '0' * 64}.json", b"{}")
            if n % FAILED_SHARE == 0:
                record = {"id": f"{scene.product}x--00000000", "stage": "tiler", "broken": False}
                write(root, f"failures/tiler/{scene.product}x--00000000.json", canonical(record))


def receipt_id(store: FolderStore, name: str) -> str:
    """Return the receipt of a delivery as it lies in a folder."""
    unit = landing_unit(name, store.list(f"landing/{name}/"), lambda _: 0.0)
    assert unit is not None
    return unit.receipt_id


def command(*arguments: str) -> dict[str, float]:
    """Run a command in a process of its own; CPU seconds and peak MB, of what it starts as well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{arguments}: {err.decode()[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found: dict[str, float] = {"cpu_s": cpu}
    last = out.decode().strip().rpartition("\n")[2]
    if last.startswith('{"measured"'):
        found |= json.loads(last)["measured"]
    return found


class Counted:
    """Counts the requests of a store: each call of the folder, each HTTP request of S3."""

    def __init__(self, store: Any) -> None:
        self.requests = 0
        if store.remote:
            store.client.meta.events.register("before-send.s3", self._count)
            return
        for name in ("get", "head", "exists", "keys", "list", "children", "put", "delete", "fetch"):
            setattr(store, name, self._counting(getattr(store, name)))

    def _count(self, **_: object) -> None:
        self.requests += 1

    def _counting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            self.requests += 1
            return call(*arguments, **named)

        return counted


def measured(count: Counted, work: Callable[[], object]) -> dict[str, float]:
    """CPU seconds, requests and peak MB of some work in this process."""
    before, begun = count.requests, time.process_time()
    work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": time.process_time() - begun, "requests": count.requests - before, "peak_mb": peak}


def open_store_at(location: str) -> tuple[Any, Area, Counted]:
    """Return a store, its area, and the count of its requests."""
    from shared.store import open_store, read_area

    store = open_store(location)
    area = read_area(store)
    return store, area, Counted(store)


def measure_event(location: str) -> dict[str, float]:
    """One event of a scene of the newest week with nothing to do, for each of four stages, in a fresh process."""
    from shared.run.context import Context
    from shared.run.runner import Runner

    store, area, count = open_store_at(location)
    context = Context.of_store(store, area)
    week = max(store.children("items/cube-updates/"), key=lambda w: "" if w == STATIC else w)
    names = {
        "cloudmask": "sentinel-2-l2a",
        "reprojection": "sentinel-3-olci-l1b",
        "tiler": "cloud-masks",
        "inference": "cube-updates",
    }

    def handle() -> None:
        for stage, collection in names.items():
            runner = Runner(STAGES[stage], registry.module_of(stage), context)
            key = next(iter(sorted(store.children(f"items/{collection}/{week}/"))))
            item = Item.parse(store.get(f"items/{collection}/{week}/{key}"), week)
            runner.work_on(item)

    return measured(count, handle)


def measure_sweeper(location: str, rounds: int) -> dict[str, float]:
    """Return a sweeper that starts: its first round until everything was looked at, then some later ones."""
    from services.sweeper.sweeper import Sweeper
    from shared.run.context import Context

    store, area, count = open_store_at(location)
    sweeper = Sweeper(registry.all_stages(), Context.of_store(store, area))

    def first() -> None:
        while True:
            sweeper.round()
            if sweeper.driver.sweep.whole:
                return

    result = {f"first_{k}": v for k, v in measured(count, first).items()}
    later = [measured(count, sweeper.round) for _ in range(rounds)]
    for name in ("cpu_s", "requests", "peak_mb"):
        result[f"later_{name}"] = sum(x[name] for x in later) / len(later) if name != "peak_mb" else later[-1][name]
    return result


def settle(location: str) -> dict[str, float]:
    """Let a sweeper run until it has kept what there is to keep of every week: a day's work of its own, in one go."""
    from services.sweeper.sweeper import Sweeper
    from shared.run.context import Context

    store, area, count = open_store_at(location)
    sweeper = Sweeper(registry.all_stages(), Context.of_store(store, area))
    weeks = set(store.children("items/cube-updates/")) - {STATIC}

    def rounds() -> None:
        while not sweeper.driver.sweep.whole or set(store.children("index/cube-updates/")) < weeks:
            sweeper.round()

    return measured(count, rounds)


MEASURES = {"event": measure_event, "sweeper": lambda location: measure_sweeper(location, 3), "settle": settle}


def table(rows: dict[str, dict[int, float]], counts: list[int]) -> None:
    """Print figures with the exponent of their growth from the smallest store to the largest."""
    print("| what | " + " | ".join(f"{c:,} items" for c in counts) + " | exponent |")
    print("| --- | " + " | ".join("---:" for _ in (*counts, 0)) + " |")
    for name, values in rows.items():
        cells = [f"{values[c]:,.2f}" if c in values else "" for c in counts]
        known = sorted(values)
        low, high = known[0], known[-1]
        grown = (
            math.log(values[high] / values[low]) / math.log(high / low)
            if high > low and values[low] > 0 and values[high] > 0
            else 0.0
        )
        print(f"| {name} | {' | '.join(cells)} | {grown:.2f} |")


def peak_of(*arguments: str) -> dict[str, float]:
    """As `command`, with the peak memory of the process itself."""
    code = (
        "import json,resource,runpy,sys,time;sys.argv=sys.argv[1:];import io,contextlib\n"
        "try:\n with contextlib.redirect_stdout(io.StringIO()): runpy.run_module('landstream',run_name='__main__')\n"
        "except SystemExit as e:\n  assert e.code in (None, 0, 3), e.code\n"
        "u=resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(json.dumps({'measured':{'cpu_s':u.ru_utime+u.ru_stime,'peak_mb':u.ru_maxrss/1024}}))"
    )
    return command("-c", code, "landstream", *arguments)


def settled(area: Path, store: str) -> dict[str, float]:
    """Run once unmeasured, which writes the pages that people browse; nothing to add to the figures."""
    peak_of("run", "--once", "--area", str(area), "--store", store)
    return {}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "runs" / "scale", help="where the stores are made, and kept"
    )
    parser.add_argument("--most", type=int, default=100_000, help="items of the largest store")
    parser.add_argument("--s3", action="store_true", help="measure over versitygw, with and without index objects")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "STORE"), help="one measurement in this process")
    given = parser.parse_args()
    if given.measure:
        print(json.dumps({"measured": MEASURES[given.measure[0]](given.measure[1])}))
        return
    counts = [c for c in (1_000, 10_000, 100_000, 1_000_000) if c <= given.most]
    (over_s3 if given.s3 else over_folders)(given.folder, counts)


def store_of(folder: Path, count: int) -> Path:
    """Return the store of so many items, made if absent."""
    root = folder / str(count)
    if not (root / "made").exists():
        shutil.rmtree(root, ignore_errors=True)
        begun = time.perf_counter()
        make_store(root / "store", count)
        (root / "made").touch()
        print(f"made a store of {count:,} items in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
    return root / "store"


def over_folders(folder: Path, counts: list[int]) -> None:
    """Measure stores in folders."""
    rows: dict[str, dict[int, float]] = {}
    area = folder / "scale.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    area.write_text(json.dumps(country().model_dump(mode="json", by_alias=True)))
    for count in counts:
        store = str(store_of(folder, count))
        for kept in ("views", "views-remapped", "pages"):
            shutil.rmtree(Path(store) / "index" / kept, ignore_errors=True)
        found = {
            "status, of a store that nobody has looked at": peak_of("status", "--store", store),
            "maps --latest": peak_of("maps", "--latest", "--store", store),
            "run --once, nothing to do": settled(area, store)
            or peak_of("run", "--once", "--area", str(area), "--store", store),
            "one event": command(__file__, "--measure", "event", store),
        }
        for what, values in found.items():
            for name, value in values.items():
                rows.setdefault(f"{what}, {name}", {})[count] = value
        for again in ("", ", started again"):
            for name, value in command(__file__, "--measure", "sweeper", store).items():
                rows.setdefault(f"sweeper{again}, {name}", {})[count] = value
        for name, value in peak_of("status", "--store", store).items():
            rows.setdefault(f"status, {name}", {})[count] = value
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"A store in a folder, {load}; CPU seconds include the start of Python")
    table(rows, counts)


def link_into(root: Path, source: str, target: str) -> None:
    """Link a file of a store into a bucket of versitygw, with the ETag that its receipts know."""
    os.link(source, target)
    etag = FolderStore(root).head(str(Path(source).relative_to(root))).etag
    os.setxattr(target, "user.etag", etag.encode())


def over_s3(folder: Path, counts: list[int]) -> None:
    """Measure stores in versitygw."""
    from tools.servers.versitygw import Versitygw

    rows: dict[str, dict[int, float]] = {}
    for count in counts:
        made_in, gateway = store_of(folder, count), Versitygw(folder / f"{count}-s3")
        gateway.install()
        bucket = folder / f"{count}-s3" / "data" / "scale"
        if not bucket.is_dir():
            left_out = shutil.ignore_patterns(".landstream", "index")
            shutil.copytree(made_in, bucket, copy_function=partial(link_into, made_in), ignore=left_out)
        gateway.start()
        try:
            os.environ |= gateway.variables()
            shutil.rmtree(bucket / "index", ignore_errors=True)
            for when in ("without indexes", "with indexes"):
                if when == "with indexes":
                    command(__file__, "--measure", "settle", "s3://scale")
                for what in ("event", "sweeper"):
                    for name, value in command(__file__, "--measure", what, "s3://scale").items():
                        rows.setdefault(f"{what} {when}, {name}", {})[count] = value
        finally:
            gateway.stop()
    print(f"A store in versitygw, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    table(rows, counts)


if __name__ == "__main__":
    main()
