"""`landstream evaluate`: score any model of a store on any labels."""
