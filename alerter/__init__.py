"""Process 2: evaluates rules on what the exporter stored, keeps each alert's life, and delivers."""
