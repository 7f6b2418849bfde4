"""One module for each lesson's exercises: a function for each, from the answer's module to None or what is wrong."""
