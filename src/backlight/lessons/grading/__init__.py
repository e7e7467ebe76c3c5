"""Judge the work of a class: a folder with one folder or file per student becomes a table and a page."""
