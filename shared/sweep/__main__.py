"""The sweeper, one replica: `python -m shared.sweep --store s3://BUCKET --kafka HOST:PORT`."""

from shared.sweep.sweeper import main

main()
