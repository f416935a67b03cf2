"""Processes: which is which, how they end with each other, pools of them."""
