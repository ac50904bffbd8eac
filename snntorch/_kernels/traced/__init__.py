"""Steps of any class, traced, and compiled to run over a whole sequence."""
