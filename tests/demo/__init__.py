"""The demo: its workload, and the command as a user runs it."""
