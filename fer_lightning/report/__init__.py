"""The things to look at after a run: tables, charts, pages."""
