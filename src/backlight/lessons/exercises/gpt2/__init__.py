"""The exercises of lesson 9, by their subjects."""
