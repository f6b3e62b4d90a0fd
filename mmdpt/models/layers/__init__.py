"""Reassemble and fusion, the stages that every DPT head shares."""
