"""Campaigns: who is treated and who is not, what it brought, and how to split the next one."""
