"""The terminal: it shows what the twins have computed; where it has one of them compute more, a file says so."""
