"""Rules: what is compared with what, and how bad it is (spec/rules.md)."""
