from shared.stage.main import main

main("inference")
