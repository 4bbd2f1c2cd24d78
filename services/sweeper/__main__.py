"""The sweeper, one replica: `python -m services.sweeper --store s3://BUCKET --kafka HOST:PORT`."""

from services.sweeper.sweeper import main

main()
