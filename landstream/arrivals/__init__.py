"""What people see of arrivals: the account, what can be fetched again, how fresh maps are, what catalogues offer."""
