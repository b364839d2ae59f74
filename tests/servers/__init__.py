"""Real servers for the tests: each started on free ports under a folder of its own, stopped by its pid."""
