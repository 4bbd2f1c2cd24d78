"""What an operator sees: metrics, logs, health; and the failpoints that prove recovery."""
