"""Pictures: what is drawn equals the data, on the given axes, and looks as it did."""
