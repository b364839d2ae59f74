"""What the panels' routes answer: stored or live, fresh or marked stale (spec/api.md, "Panels")."""
