"""What every service process has: settings, health over HTTP, a command line, the stack it waits for."""
