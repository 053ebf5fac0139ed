"""Shows which columns each column comes from: as a tree, a page, or OpenLineage."""
