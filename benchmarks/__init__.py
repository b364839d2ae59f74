"""Speed and memory on real servers, beside a peer in the same run. Nothing here passes or fails."""
