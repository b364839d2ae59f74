"""What every process of ours that works in the background has: a heartbeat, a lease, and pages over HTTP."""
