"""From samples to alerts and deliveries: pure, the time is an argument (design.md, "Layout")."""
