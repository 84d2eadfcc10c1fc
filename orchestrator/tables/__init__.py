"""Tables: the columns, the rows, and one set of writers."""
