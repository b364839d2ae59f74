"""Tests of rules in promtool's format, run by the functions that the alerter uses (spec/rules.md)."""
