"""The tests. A package, so that folders can use each other's helpers: `from tests.tolerances import close`."""
