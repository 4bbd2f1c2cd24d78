"""Every metric, declared once. Base units; no scene, key or job in a label."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

# Jobs that ended, by outcome: done, absorbed (the item was there already), later, failed, cancelled.
JOBS: Final = Counter("landstream_jobs", "Jobs that ended", ["stage", "outcome"])

# From the start of a job's fetch to its item.
JOB_SECONDS: Final = Histogram(
    "landstream_job_duration_seconds",
    "Duration of a job that made an item",
    ["stage"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200),
)

# How far the stage's job under way has come, where it tells: epochs of a training, blocks or windows of others; done
# and total. These three are gone when the job is over.
JOB_STEPS: Final = Gauge("landstream_job_steps", "Steps of the job under way", ["stage", "state"])

# Of a training under way, over its last epoch: of training, and of validation where there is one.
JOB_LOSS: Final = Gauge("landstream_job_loss", "Loss of the training under way", ["stage", "of"])

# By the pace that it has had in this process; untold until two reports came.
JOB_LEFT_SECONDS: Final = Gauge("landstream_job_left_seconds", "Time that the job under way still takes", ["stage"])

# Attempts that ended in an error and were tried again.
RETRIES: Final = Counter("landstream_retries", "Attempts that were tried again", ["stage"])

# Events that a stage took from the bus: own, foreign, other (deletions, test events), malformed.
EVENTS: Final = Counter("landstream_events", "Events taken from the bus", ["stage", "kind"])

# Worker processes that ended before their job did: crash, timeout, memory.
WORKERS_LOST: Final = Counter("landstream_workers_lost", "Workers that ended before their job", ["stage", "cause"])

# Hints that the sweep had to give because an event had not led to a result.
HINTS: Final = Counter("landstream_hints", "Hints given by the sweep", ["stage"])

# How long one round of the sweep takes.
SWEEP_SECONDS: Final = Histogram(
    "landstream_sweep_duration_seconds", "Duration of a round of the sweep", buckets=(0.1, 0.5, 1, 5, 15, 60, 300)
)

# Jobs that are due now, as the sweep counted them.
DUE: Final = Gauge("landstream_due_jobs", "Jobs that are due", ["stage"])

# How long the stage's oldest due job has been due, as the sweeper saw it since its start.
OLDEST_DUE: Final = Gauge("landstream_oldest_due_job_age_seconds", "Age of the oldest due job", ["stage"])

# Failure records that stand now.
FAILED: Final = Gauge("landstream_failed_jobs", "Failure records that stand", ["stage"])

# The sweeper alone tells what follows. A gauge without a label would be 0 in every process that does not.

# From a scene's item to the first map that holds it: median over the last 100 scenes. Untold before the first map.
FRESHNESS: Final = Gauge("landstream_freshness_seconds", "From scene to map, median of the last 100 scenes", ["sensor"])

# How long each step of a product took, from the one before: published (since it was sensed), found, fetched,
# registered, masked, tiled, mapped. Told once of each product, when the first map holds it.
FRESHNESS_STEP: Final = Histogram(
    "landstream_freshness_step_seconds",
    "Duration of a step of a newly mapped product",
    ["step"],
    buckets=(60, 300, 900, 3600, 14_400, 43_200, 86_400, 259_200, 864_000, 2_592_000),
)

# When the last scene of a sensor (msi, olci) was registered.
LAST_ARRIVAL: Final = Gauge("landstream_last_arrival_timestamp_seconds", "Last scene registered", ["sensor"])

# Files that a collection's items name; a file that two items name counts twice.
BYTES: Final = Gauge("landstream_collection_bytes", "Bytes of a collection's files", ["collection"])

# Tiles of a week that came into the cube since the training that saw most of them, counted once per update.
TRAINING_BACKLOG: Final = Gauge("landstream_training_backlog_tile_weeks", "Tile-weeks not trained on yet", ["sensor"])

# Sentinel-2 scenes with tiles in the cube that no current map holds.
MAPPING_BACKLOG: Final = Gauge(
    "landstream_mapping_backlog_products", "Products in the cube and in no map yet", ["sensor"]
)

# Fetching alone tells what follows.

# Bytes that came from a provider.
FETCHED_BYTES: Final = Counter("landstream_fetched_bytes", "Bytes that came from a provider", ["provider"])

# Products that are to be fetched, by lane: forward (just sensed), backfill (the past).
FETCH_QUEUE: Final = Gauge("landstream_fetch_queue_products", "Products that are to be fetched", ["lane"])

# How long the product of a lane that was found first, in this process, has waited; 0 where none waits.
FETCH_OLDEST: Final = Gauge("landstream_fetch_oldest_seconds", "Longest wait of a product to be fetched", ["lane"])

# Failure records of fetching that stand: of products, and of searches and credentials that a person has to mend;
# neither those that were dismissed, nor what ingest refused.
FETCH_FAILED: Final = Gauge(
    "landstream_fetch_failed_products", "Failures of products, searches and credentials that stand", ["provider"]
)

# Products that the last two recounts of the catalogue named and that did not come, by where they stand.
FETCH_MISSING: Final = Gauge(
    "landstream_fetch_missing_products", "Products that two recounts named and that did not come", ["state"]
)

# When the provider last answered a search whole; until then, when fetching began to ask.
FETCH_SEARCHED: Final = Gauge(
    "landstream_fetch_answered_timestamp_seconds", "Last search that was answered", ["provider"]
)

# Volume of the last 30 days: used, and the area's limit where it has one.
FETCH_VOLUME: Final = Gauge("landstream_fetch_volume_bytes", "Volume fetched within 30 days", ["what"])

# When the stage's loop ticked last.
TICK: Final = Gauge("landstream_last_tick_timestamp_seconds", "Last tick of the stage's loop", ["stage"])
