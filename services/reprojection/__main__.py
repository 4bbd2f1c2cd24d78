from shared.process.command_line import main

main("reprojection")
