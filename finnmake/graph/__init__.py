"""The graph: models, datatypes, custom ops, and what can be said about a graph without knowing hardware."""
