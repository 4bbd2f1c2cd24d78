from shared.stage.main import main

main("ingest")
