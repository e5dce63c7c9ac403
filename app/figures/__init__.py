"""Pure functions: how a page's rows are drawn. No disk, no state, no server."""
