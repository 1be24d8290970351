"""The operator: turns policies, profiles and what nodes report into a plan and lookup tables for each GPU."""
